"""The parts of the tile stage in four rooms, each of which sees those in front of it: block, maps, cuts, writing."""
