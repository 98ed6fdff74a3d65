"""The parts of the schedule stage: the linear order and the waits that it implies."""
