"""Running the stages of a run, side by side and within a room of cores and memory.

`task` is a stage with what it needs; `schedule` decides, without a clock or a process, which tasks
start and with how many threads; `crew` runs them on an executor: `local`, worker processes on this
machine, or `cluster`, Ray.
"""
