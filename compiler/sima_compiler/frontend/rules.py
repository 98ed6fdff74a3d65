"""The constraints of the MLA's operators as data: a sentence for people and a predicate for the frontend.

Limits on strides, dilations and windows are those that the vendor publishes; the rest follow from the batch standing
first.
"""

from __future__ import annotations

from sima_compiler.frontend.onnx_node import Rule


def _within(low: int, high: int, values: tuple[int, ...]) -> bool:
    return all(low <= value <= high for value in values)


#: What helps where an operator's result is never quantized.
REQUANTIZE_HINT = "quantize the float model with simac quantize MODEL --calibration SAMPLES.npz: it leaves none out"
#: What helps where an input was cut before it was quantized, so that calibration saw another range in each part.
INPUT_SCALE_HINT = (
    "quantize the float model with simac quantize MODEL --calibration SAMPLES.npz: it quantizes inputs whole"
)

CONV_STRIDE = Rule("Conv strides are from 1 to 31", lambda strides: _within(1, 31, strides))
CONV_DILATION = Rule("Conv dilations are from 1 to 63", lambda dilations: _within(1, 63, dilations))
TRANSPOSED_STRIDE = Rule(
    "ConvTranspose strides are 1, 2, 4, 8 or 16, depthwise 1 or 2",
    lambda strides, depthwise: all(stride in ((1, 2) if depthwise else (1, 2, 4, 8, 16)) for stride in strides),
)
TRANSPOSED_DILATION = Rule("ConvTranspose dilations are 1", lambda dilations: _within(1, 1, dilations))
TRANSPOSED_GROUPS = Rule("ConvTranspose has one group, or is depthwise with one output per channel", bool)
SAME_PADS = Rule(
    "with auto_pad SAME, strides reach at most two places beyond a Conv's window, none beyond a pool's", bool
)
POOL_DILATION = Rule("pooling dilations are 1", lambda dilations: _within(1, 1, dilations))
POOL_SIZE = Rule("pooling windows are smaller than 128 (global pools: no limit)", lambda size: _within(1, 127, size))
POOL_STRIDE = Rule("pooling strides are from 1 to 31", lambda strides: _within(1, 31, strides))
POOL_CEIL = Rule("pooling output sizes are rounded down (ceil_mode 0)", lambda ceil, floor: ceil == floor)
IMAGE_RANK = Rule("convolution, pooling and resizing take 4-D tensors", lambda shape: len(shape) == 3)
WEIGHTS_CONSTANT = Rule("weights and bias are quantized constants", bool)
WEIGHTS_SYMMETRIC = Rule(
    "weights are int8 or uint8, and no weight lies further than int8 reaches from its zero point",
    bool,
    "give the float model to simac quantize; or, before onnxruntime's quantize_static, run its quant_pre_process, "
    "which folds weights that stand in nodes, and leave weight_type at QInt8",
)
BIAS_SCALE = Rule(
    "a bias has the scale input scale times weight scale, or moves by no more than half a step of the result when it "
    "is restated in it",
    bool,
    "give the float model to simac quantize: its biases have that scale",
)
BIAS_BEHIND = Rule("an Add behind a Gemm or MatMul that is not quantized has one value per output channel", bool)
PER_CHANNEL_AXIS = Rule("per-channel scales run over the output channels", bool)
GEMM_ALPHA = Rule("Gemm's alpha is positive", bool)
PRODUCT_BESIDE = Rule(
    "a DequantizeLinear stands right in front of a Conv, Gemm or MatMul, and right behind it a QuantizeLinear, with a "
    "Relu or Clip between that limits no further than it: onnxruntime computes others in float32, in an order of its "
    "host (but for a MatMul, or Gemm without a bias, that no Relu or Clip follows)",
    bool,
    REQUANTIZE_HINT,
)
GEMM_CONSTANT = Rule("the right side of a Gemm, and a constant one of a MatMul, is a matrix of weights", bool)
MATMUL_LEFT = Rule("a constant left side of a MatMul is one matrix with one scale", bool)
MATMUL_SIDES = Rule(
    "two activations of a MatMul have as many axes, of equal length or 1 in front of the matrices", bool
)
EINSUM_PRODUCT = Rule(
    "Einsum is a matrix product of two activations, none of whose letters is summed alone, or sums and turns the axes "
    "of one; letters once each, no ellipsis",
    bool,
)
PER_TENSOR = Rule(
    "activations have one scale and one zero point",
    bool,
    "quantize activations per tensor: simac quantize does, and onnxruntime's quantize_static",
)
ACTIVATION_BYTES = Rule(
    "activations are int8 or uint8",
    bool,
    "quantize the float model with 8-bit activations: simac quantize MODEL --calibration SAMPLES.npz -o ., or "
    "quantize_static with activation_type=QuantType.QInt8",
)
ADD_RATIO = Rule("the scales of an Add's operands are at most 65,536 times that of its result", bool, REQUANTIZE_HINT)
BROADCAST = Rule("a constant that is not quantized is no larger than the activation that it meets", bool)
PRELU_SLOPE = Rule("PRelu's slopes are constants that broadcast to its input", bool)
REAL_CONSTANT = Rule(
    "a constant that is not quantized has at most 65,536 values, not counting axes along which it repeats", bool
)
POWER = Rule("the exponents of a Pow are constants", bool)
REAL_NUMBER = Rule("the numbers beside an activation function are constants", bool)
BATCH_NORMALIZATION = Rule("BatchNormalization has constant statistics (inference)", bool)
REALS = Rule("operators compute with what DequantizeLinear makes; bytes are only moved and limited", bool)
CAST = Rule("Cast makes float32 of bytes or of reals", bool)
SLICE_STEP = Rule("Slice steps are positive", lambda steps: all(step > 0 for step in steps))
PAD_MODE = Rule("Pad fills with a constant, or repeats rows and columns (reflect, edge, wrap)", bool)
PAD_REFLECT = Rule("a reflecting Pad is smaller than the axis that it reflects", bool)
PAD_CROP = Rule("Pad with negative numbers leaves something of every axis", bool)
PAD_FILL = Rule(
    "Pad fills with a value that its input's scale and zero point hold, unless a QuantizeLinear of its own follows",
    bool,
)
GATHER_CONSTANT = Rule("Gather's indices are constants, and there is at least one", bool)
CONCAT_SCALE = Rule("a Concat that no QuantizeLinear follows joins values of one scale", bool)
RESIZE_MODE = Rule("Resize takes the nearest neighbour or interpolates linearly, without antialiasing", bool)
RESIZE_SPATIAL = Rule("Resize changes rows and columns only", bool)
RESIZE_COORDINATES = Rule(
    "Resize's coordinate mode is half_pixel, half_pixel_symmetric, pytorch_half_pixel, align_corners, asymmetric or "
    "tf_half_pixel_for_nn",
    bool,
)
RESIZE_ASPECT = Rule("Resize stretches to the given sizes", lambda policy: policy == "stretch")
NORM_CONSTANTS = Rule("gains and offsets of normalizations are constants", bool)
NORM_RESULT = Rule("of a normalization only the normalized values are read", bool)
NORM_PIXELS = Rule("InstanceNormalization has pixels behind its channels", bool)
LRN_SIZE = Rule("LRN's size is odd", lambda size: size % 2 == 1)
ARG_MAX_PLACES = Rule("ArgMax runs over at most 256 places, which a byte can count", bool)
MEAN_OF_ONE = Rule("what an average without a quantization in front is taken of is the same function everywhere", bool)
PACKED_IN_FRONT = Rule(
    "a MaxPool in float32 stands right in front of a GlobalAveragePool in float32, or not in front at all: further "
    "behind, it is open in which order onnxruntime sums",
    bool,
    REQUANTIZE_HINT,
)
FLOAT_POOL_WIDTH = Rule("an AveragePool without quantizations right beside it slides over at most 2,000 columns", bool)
BATCH_FIRST = Rule("the first dimension of every tensor is the batch", bool)
QUANTIZED = Rule("every activation is quantized: QuantizeLinear stands behind each operator", bool)
INPUT_SCALE = Rule("an input of the network is quantized with one scale and one zero point", bool)
STATIC_SCALES = Rule("scales and zero points are constants of the file", bool)
KNOWN_OPERATOR = Rule("the operator is one that this compiler lowers (docs/operators.md lists them)", bool)
