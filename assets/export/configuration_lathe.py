"""Configuration of a Llama whose layers were converted one by one by Lathe."""

from transformers import PreTrainedConfig


class LatheConfig(PreTrainedConfig):
    """`layers` says for each layer what its attention ("gqa" or "mla") and feed-forward ("dense" or "moe") are.

    Everything else has the names and meanings of `LlamaConfig`.
    """

    model_type = "lathe"
    keys_to_ignore_at_inference = ["past_key_values"]

    vocab_size: int = 49152
    hidden_size: int = 576
    intermediate_size: int = 1536
    num_hidden_layers: int = 30
    num_attention_heads: int = 9
    num_key_value_heads: int = 3
    head_dim: int | None = None
    hidden_act: str = "silu"
    max_position_embeddings: int = 8192
    initializer_range: float = 0.02
    rms_norm_eps: float = 1e-5
    rope_theta: float = 10000.0
    rope_parameters: dict | None = None
    tie_word_embeddings: bool = False
    attention_bias: bool = False
    attention_output_bias: bool = False
    mlp_bias: bool = False
    qk_norm: bool = False
    router_aux_loss_coef: float = 0.001
    use_cache: bool = True
    pad_token_id: int | None = None
    bos_token_id: int | None = None
    eos_token_id: int | list[int] | None = None
    layers: list | None = None

    def __post_init__(self, **kwargs):
        if self.head_dim is None:
            self.head_dim = self.hidden_size // self.num_attention_heads
        if self.layers is None:
            self.layers = [{"attention": {"kind": "gqa"}, "feed_forward": {"kind": "dense"}}] * self.num_hidden_layers
        super().__post_init__(**kwargs)
