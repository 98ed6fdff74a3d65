"""`<name>_mpk.tar.gz`: reproducible, atomic writing and safe reading."""
