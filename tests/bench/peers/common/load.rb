# SPDX-License-Identifier: MIT
# What load.py says, for Ruby.
module Load
  WARM_UP = 40

  def self.rate(n)
    begin_ns = Ledger.now
    yield
    puts n * 1e9 / (Ledger.now - begin_ns)
  end

  def self.latency(rate, seconds)
    begin_ns = Ledger.now + 100_000_000
    (-WARM_UP...rate * seconds).each do |i|
      wait = begin_ns + (i + WARM_UP) * 1_000_000_000 / rate - Ledger.now
      sleep wait / 1e9 if wait > 0
      yield i < 0 ? 0 : Ledger.now / 1000
    end
  end

  def self.main(one, many, stamp)
    how, *numbers = ARGV
    numbers.map!(&:to_i)
    case how
    when 'single'
      one.call
      rate(numbers[0] - 1) { (numbers[0] - 1).times { one.call } }
    when 'bulk'
      rate(numbers[0]) { many.call(numbers[0]) }
    else
      latency(*numbers) { |begun| stamp.call(begun) }
    end
  end
end
