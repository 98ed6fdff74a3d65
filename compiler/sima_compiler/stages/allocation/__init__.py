"""The parts of the allocate stage: placement orders and the lower bound."""
