# SPDX-License-Identifier: MIT
require 'sidekiq'
require_relative '../common/ledger'

Sidekiq.logger.level = Logger::WARN
ENV['REDIS_URL'] = "unix://#{ENV['BENCH_SOCKET']}"

class Noop
  include Sidekiq::Worker
  def perform
    Ledger.note
  end
end

class Stamp
  include Sidekiq::Worker
  def perform(begun_us)
    Ledger.stamp(begun_us)
  end
end
