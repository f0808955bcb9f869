"""The ONNX operators by what EZKL 23.0.5 does with them, whatever their attributes.

An operator that neither a table here nor `zkprep.support.conditions` names is refused as unknown:
only what the matrix of tests/operators has seen computed rightly goes to the prover.
Source: measured, case by case, in docs/operators.md.
"""


def _named(*lines: str) -> tuple[str, ...]:
    return tuple(" ".join(lines).split())


_NOT_THERE = _named(
    "AffineGrid Attention BitCast BlackmanWindow CausalConvWithState CenterCropPad Col2Im CumProd",
    "DFT DeformConv Det EyeLike Gelu GridSample GroupNormalization HammingWindow HannWindow",
    "ImageDecoder IsInf IsNaN LRN LinearAttention LpNormalization LpPool MaxRoiPool MaxUnpool",
    "MeanVarianceNormalization MelWeightMatrix Mish Mod NegativeLogLikelihoodLoss",
    "RMSNormalization ReverseSequence RoiAlign RotaryEmbedding STFT Scatter",
    "SoftmaxCrossEntropyLoss SwiGLU Swish TensorScatter TfIdfVectorizer Tile Upsample",
)
_RANDOM = _named(
    "Bernoulli Multinomial RandomNormal RandomNormalLike RandomUniform RandomUniformLike"
)
_CONTROL_FLOW = _named("If Loop Scan SequenceMap")
_SEQUENCES = _named(
    "ConcatFromSequence Optional OptionalGetElement OptionalHasElement SequenceAt",
    "SequenceConstruct SequenceEmpty SequenceErase SequenceInsert SequenceLength SplitToSequence",
)
_TEXT = _named("RegexFullMatch StringConcat StringNormalizer StringSplit")
_DATA_SIZED = _named("Compress NonMaxSuppression NonZero Unique")
_QUANTISED = _named(
    "ConvInteger DequantizeLinear DynamicQuantizeLinear MatMulInteger QLinearConv QLinearMatMul",
    "QuantizeLinear",
)
_BITS = _named("BitShift BitwiseAnd BitwiseNot BitwiseOr BitwiseXor")

REFUSED: dict[str, str] = {
    **dict.fromkeys(_NOT_THERE, "EZKL has no such operator"),
    **dict.fromkeys(_RANDOM, "it is random, and a proof is about a function"),
    **dict.fromkeys(
        _CONTROL_FLOW,
        "a circuit has no branches and no loops; export the model with its path fixed",
    ),
    **dict.fromkeys(_SEQUENCES, "sequences and optional values are no tensors"),
    **dict.fromkeys(_TEXT, "a circuit has no strings"),
    **dict.fromkeys(
        _DATA_SIZED, "the size of its output depends on the data, and a circuit has fixed sizes"
    ),
    **dict.fromkeys(_QUANTISED, "EZKL quantises the model itself; export it in floating point"),
    **dict.fromkeys(_BITS, "EZKL has no operators on bits"),
    "GlobalLpPool": "EZKL computes another norm",
    "Range": "its bounds are not constant",
    "Trilu": "EZKL keeps the wrong triangle",
}
"""Operator -> why it is refused in every form."""

HOPELESS = frozenset(
    (
        *(*_RANDOM, *_TEXT, *_DATA_SIZED, *_BITS),
        *_named("ConvInteger DynamicQuantizeLinear Loop MatMulInteger QLinearConv QLinearMatMul"),
        *_named("Scan SequenceEmpty SequenceErase SequenceInsert SequenceLength SequenceMap"),
    )
)
"""Operators of REFUSED that no pass rewrites or folds away."""

FINE = frozenset(
    _named(
        "Abs Acos Acosh Add And Asin Asinh Atan Atanh Ceil Clip Concat Constant ConstantOfShape",
        "Cos Cosh DepthToSpace Elu Erf Exp Flatten Floor GlobalAveragePool GlobalMaxPool Greater",
        "GreaterOrEqual HardSigmoid HardSwish Hardmax InstanceNormalization LayerNormalization",
        "LeakyRelu Less LessOrEqual Log MatMul Mean Min Mul Neg Not Or PRelu Reciprocal ReduceL1",
        "ReduceL2 ReduceLogSum ReduceLogSumExp ReduceMax ReduceMin ReduceSumSquare Relu",
        "Round Selu Shape Shrink Sigmoid Sign Sin Sinh Size Slice Softplus Softsign SpaceToDepth",
        "Split Sqrt Squeeze Sum Tan Tanh ThresholdedRelu Transpose Unsqueeze Where Xor",
    )
)
"""Operators that EZKL proves rightly in every form that is left after normalisation."""

WRAPPING = frozenset(_named("Abs Add Div MatMul Mul Neg Pow Sub Sum"))
"""Operators whose results a narrow integer type wraps around."""

NEVER_NEGATIVE = frozenset(
    _named(
        "Abs Exp HardSigmoid ReduceL1 ReduceL2 ReduceSumSquare Relu Sigmoid Softmax Softplus Sqrt"
    )
)
"""Operators whose results are at least 0, whatever they read."""

KEEPS_SIGN = frozenset(
    _named(
        "Add AveragePool Concat DepthToSpace Flatten Gather GlobalAveragePool GlobalMaxPool",
        "Identity Max MaxPool Min Mul Reshape Slice SpaceToDepth Split Squeeze Sum Transpose",
        "Unsqueeze",
    )
)
"""Operators whose results are at least 0 where everything they read is."""
