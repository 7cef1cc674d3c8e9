# SPDX-License-Identifier: MIT
# What ledger.py says, for Ruby. There is no mapping of files here: a thread
# writes what has changed, every 10 ms.
module Ledger
  @lock = Mutex.new
  @count = @first = @last = 0
  @starts = []

  def self.now
    Process.clock_gettime(Process::CLOCK_MONOTONIC, :nanosecond)
  end

  def self.note(start_us = nil)
    at = now
    @lock.synchronize do
      @thread ||= Thread.new { keep }
      @first = at if @count == 0
      @count += 1
      @last = at
      @starts << start_us if start_us
    end
  end

  def self.stamp(begun_us)
    note(begun_us == 0 ? nil : now / 1000 - begun_us)
  end

  def self.keep
    base = "#{ENV['BENCH_DIR']}/%s.#{Process.pid}"
    count = File.open(format(base, 'count'), 'wb')
    starts = File.open(format(base, 'starts'), 'w')
    told = 0
    loop do
      sleep 0.01
      page, new = @lock.synchronize { [[@count, @first, @last], @starts.slice!(0..)] }
      next if page[0] == told

      told = page[0]
      count.pwrite(page.pack('q3'), 0)
      starts.write(new.map { |us| "#{us}\n" }.join)
      starts.flush
    end
  end
end
