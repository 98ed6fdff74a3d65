"""The compile report out of the facts of a compile: `report` is the whole, `layers` and `memory` its large parts."""
