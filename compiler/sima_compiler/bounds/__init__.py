"""Lower bounds on the runtime of a network, and why no legal schedule lies below them.

In: a segment, the batch, the machine, the stored size of every layer's weights. Out: cycles. docs/machine-model.md has
the proofs.

``bound_cycles`` is the larger of two quotients. The array does at most ``macs_per_cycle`` multiply-accumulates per
cycle and no other unit does more, so the network's MACs take at least their quotient. DRAM moves at most
``dram_bytes_per_cycle``, and every network output and weight tensor, and what layers read of every network input, must
cross it once, so those bytes take at least their quotient.

``padded_bound_cycles`` is the larger of that and two more. One compute queue runs every layer's work in whole vectors
and weight blocks, whatever the mapping, so the sum of the least padded work is a bound. And at the moment when the work
in front of a layer is done, at most the on-chip capacity of the weights that later layers still need has arrived; the
rest must still cross DRAM. Layers that run in turns keep their weights until all layers in front of them are done, so
this holds for them too.

Both hold for any legal program, not for this compiler's alone: blocks at a border may have smaller windows, so cells
over padding do not count, nor do weights that only ever meet padding; a product or a table may ride on a neighbour that
is computed a second time.
"""
