# SPDX-License-Identifier: MIT
require_relative 'tasks'
require_relative '../common/load'

GROUP = 1000

many = lambda do |n|
  (0...n).step(GROUP) do |i|
    args = [[]] * [GROUP, n - i].min
    Sidekiq::Client.push_bulk('class' => Noop, 'args' => args)
  end
end
# It keeps no results.
Load.main(-> { Noop.perform_async }, many, ->(begun) { Stamp.perform_async(begun) })
