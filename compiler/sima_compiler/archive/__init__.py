"""The archive, `*_mpk.tar.gz`: written by `package`, read by `reader`, its members by `mpk`, `stats` and `report`."""
