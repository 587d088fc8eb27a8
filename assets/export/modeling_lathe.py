"""A Llama whose layers are grouped-query or multi-head latent attention, and a dense MLP or a mixture of experts.

Shapes: B batch, T new tokens, S all tokens seen, D hidden_size, H query heads, G key-value heads, K head_dim, E experts,
N qk_nope_head_dim, P qk_rope_head_dim, R kv_lora_rank, W v_head_dim.

Latent attention: DeepSeek-V2, section 2.1 (arXiv:2405.04434). Its cache holds the latent and the shared rope key, R + P
values a token, not keys and values. Mixtures of experts: Mixtral, Qwen2Moe and DeepSeek-V3 (arXiv:2412.19437).
"""

import torch
import torch.nn.functional as F
from torch import nn
from transformers import GenerationMixin, PreTrainedModel
from transformers.cache_utils import DynamicCache
from transformers.masking_utils import create_causal_mask, sliding_window_overlay
from transformers.modeling_layers import GradientCheckpointingLayer
from transformers.modeling_outputs import BaseModelOutputWithPast, MoeCausalLMOutputWithPast
from transformers.modeling_rope_utils import ROPE_INIT_FUNCTIONS

from .configuration_lathe import LatheConfig

LATENT_NORM_EPS = 1e-6  # of DeepSeek's norms of latents, whatever rms_norm_eps is


class LatheRMSNorm(nn.Module):
    def __init__(self, size, eps):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(size))
        self.eps = eps

    def forward(self, x):
        x_f32 = x.float()
        return self.weight * (x_f32 * torch.rsqrt(x_f32.pow(2).mean(-1, keepdim=True) + self.eps)).to(x.dtype)


class LatheRotaryEmbedding(nn.Module):
    """Cosines and sines of all K / 2 frequencies: [B,T,K/2]."""

    def __init__(self, config):
        super().__init__()
        rope = config.rope_parameters
        if rope["rope_type"] == "default":
            exponents = torch.arange(0, config.head_dim, 2).float() / config.head_dim
            inv_freq, self.attention_scaling = 1.0 / rope["rope_theta"] ** exponents, 1.0
        else:
            inv_freq, self.attention_scaling = ROPE_INIT_FUNCTIONS[rope["rope_type"]](config, None)
        self.inv_freq = nn.Buffer(inv_freq, persistent=False)

    @torch.no_grad()
    def forward(self, x, position_ids):
        angles = position_ids[..., None].float() * self.inv_freq.float()
        return (
            (angles.cos() * self.attention_scaling).to(x.dtype),
            (angles.sin() * self.attention_scaling).to(x.dtype),
        )


def rotate(x_BHTK, cos_BTF, sin_BTF):
    """Turns the pairs (x[i], x[i + F])."""
    re, im = x_BHTK.chunk(2, dim=-1)
    cos, sin = cos_BTF[:, None], sin_BTF[:, None]
    return torch.cat([re * cos - im * sin, im * cos + re * sin], dim=-1)


def attend(q_BHTK, k_BHSK, v_BHSW, mask, scale):
    causal = mask is None and q_BHTK.shape[2] > 1
    return F.scaled_dot_product_attention(q_BHTK, k_BHSK, v_BHSW, attn_mask=mask, is_causal=causal, scale=scale)


class LatheGroupedQueryAttention(nn.Module):
    def __init__(self, config, layer_idx):
        super().__init__()
        self.layer_idx = layer_idx
        self.head_dim = config.head_dim
        self.groups = config.num_attention_heads // config.num_key_value_heads
        q_size = config.num_attention_heads * self.head_dim
        kv_size = config.num_key_value_heads * self.head_dim
        self.q_proj = nn.Linear(config.hidden_size, q_size, bias=config.attention_bias)
        self.k_proj = nn.Linear(config.hidden_size, kv_size, bias=config.attention_bias)
        self.v_proj = nn.Linear(config.hidden_size, kv_size, bias=config.attention_bias)
        self.o_proj = nn.Linear(q_size, config.hidden_size, bias=config.attention_output_bias)
        self.q_norm = LatheRMSNorm(self.head_dim, config.rms_norm_eps) if config.qk_norm else nn.Identity()
        self.k_norm = LatheRMSNorm(self.head_dim, config.rms_norm_eps) if config.qk_norm else nn.Identity()

    def forward(self, x_BTD, rope, mask, cache):
        shape = (*x_BTD.shape[:2], -1, self.head_dim)
        q = rotate(self.q_norm(self.q_proj(x_BTD).view(shape)).transpose(1, 2), *rope)
        k = rotate(self.k_norm(self.k_proj(x_BTD).view(shape)).transpose(1, 2), *rope)
        v = self.v_proj(x_BTD).view(shape).transpose(1, 2)
        if cache is not None:
            k, v = cache.update(k, v, self.layer_idx)
        k = k.repeat_interleave(self.groups, dim=1)
        v = v.repeat_interleave(self.groups, dim=1)
        y = attend(q, k, v, mask, self.head_dim**-0.5)
        return self.o_proj(y.transpose(1, 2).flatten(2))


class LatheLatentAttention(nn.Module):
    def __init__(self, config, sizes, layer_idx):
        super().__init__()
        self.layer_idx = layer_idx
        self.rank = sizes["kv_lora_rank"]
        self.nope, self.rope, self.v_dim = sizes["qk_nope_head_dim"], sizes["qk_rope_head_dim"], sizes["v_head_dim"]
        self.heads = config.num_attention_heads
        self.scale = config.rope_parameters.get("score_factor", 1.0) * (self.nope + self.rope) ** -0.5
        self.rope_pairs = sizes["rope_pairs"]
        q_rank, q_size = sizes.get("q_lora_rank"), self.heads * (self.nope + self.rope)
        if q_rank:
            self.q_a_proj = nn.Linear(config.hidden_size, q_rank, bias=config.attention_bias)
            self.q_a_layernorm = LatheRMSNorm(q_rank, LATENT_NORM_EPS)
            self.q_b_proj = nn.Linear(q_rank, q_size, bias=False)
        else:
            has_bias = config.attention_bias and sizes.get("query_bias", True)
            self.q_proj = nn.Linear(config.hidden_size, q_size, bias=has_bias)
        self.kv_a_proj_with_mqa = nn.Linear(config.hidden_size, self.rank + self.rope, bias=config.attention_bias)
        has_norm = sizes.get("latent_norm", False)
        self.kv_a_layernorm = LatheRMSNorm(self.rank, LATENT_NORM_EPS) if has_norm else nn.Identity()
        self.kv_b_proj = nn.Linear(self.rank, self.heads * (self.nope + self.v_dim), bias=False)
        has_bias = config.attention_output_bias or sizes.get("output_bias", False)
        self.o_proj = nn.Linear(self.heads * self.v_dim, config.hidden_size, bias=has_bias)

    def queries(self, x_BTD):
        q = self.q_b_proj(self.q_a_layernorm(self.q_a_proj(x_BTD))) if hasattr(self, "q_a_proj") else self.q_proj(x_BTD)
        return q.view(*x_BTD.shape[:2], self.heads, -1).transpose(1, 2).split([self.nope, self.rope], dim=-1)

    def forward(self, x_BTD, rope, mask, cache):
        cos, sin = (table[..., self.rope_pairs] for table in rope)
        q_nope, q_rope = self.queries(x_BTD)
        latent, rope_key = self.kv_a_proj_with_mqa(x_BTD)[:, None].split([self.rank, self.rope], dim=-1)
        latent, rope_key = self.kv_a_layernorm(latent), rotate(rope_key, cos, sin)
        if cache is not None:
            latent, rope_key = cache.update(latent, rope_key, self.layer_idx)
        kv = self.kv_b_proj(latent[:, 0]).view(*latent[:, 0].shape[:2], self.heads, -1).transpose(1, 2)
        k_nope, v = kv.split([self.nope, self.v_dim], dim=-1)
        q = torch.cat([q_nope, rotate(q_rope, cos, sin)], dim=-1)
        k = torch.cat([k_nope, rope_key.expand(-1, self.heads, -1, -1)], dim=-1)
        y = attend(q, k, v, mask, self.scale)
        return self.o_proj(y.transpose(1, 2).flatten(2))


class LatheMLP(nn.Module):
    def __init__(self, hidden_size, intermediate_size, bias=False, down_bias=False):
        super().__init__()
        self.gate_proj = nn.Linear(hidden_size, intermediate_size, bias=bias)
        self.up_proj = nn.Linear(hidden_size, intermediate_size, bias=bias)
        self.down_proj = nn.Linear(intermediate_size, hidden_size, bias=bias or down_bias)

    def forward(self, x):
        return self.down_proj(F.silu(self.gate_proj(x)) * self.up_proj(x))


class LatheRouter(nn.Module):
    """Chooses top_k experts: softmax (Mixtral, Qwen2Moe) or sigmoid with a bias for the choice only (DeepSeek-V3)."""

    def __init__(self, config, sizes):
        super().__init__()
        self.top_k, self.renormalise = sizes["num_experts_per_tok"], sizes.get("norm_topk_prob", True)
        self.n_group, self.topk_group = sizes.get("n_group", 1), sizes.get("topk_group", 1)
        self.scaling = sizes.get("routed_scaling_factor", 1.0)
        self.unit_weights = sizes.get("unit_weights", False)
        self.weight = nn.Parameter(torch.zeros(sizes["num_experts"], config.hidden_size))
        has_bias = sizes.get("expert_bias", False)
        self.bias = nn.Parameter(torch.zeros(sizes["num_experts"])) if has_bias else None
        self.sigmoid = sizes.get("router", "softmax") == "sigmoid"
        if self.sigmoid:
            self.e_score_correction_bias = nn.Buffer(torch.zeros(sizes["num_experts"], dtype=torch.float32))

    def forward(self, x_ND):
        if self.sigmoid:
            logits = F.linear(x_ND.float(), self.weight.float(), None if self.bias is None else self.bias.float())
            scores = logits.sigmoid()
            for_choice = scores + self.e_score_correction_bias.float()
        else:
            logits = F.linear(x_ND, self.weight, self.bias)
            scores = for_choice = logits.softmax(-1, dtype=torch.float32)
        choice = self.best_groups(for_choice).topk(self.top_k, dim=-1).indices
        if self.unit_weights:
            return logits, choice, torch.ones_like(choice, dtype=torch.float32)
        weights = scores.gather(1, choice)
        if self.renormalise:
            weights = weights / (weights.sum(-1, keepdim=True) + (1e-20 if self.sigmoid else 0.0))
        return logits, choice, weights * self.scaling

    def best_groups(self, scores_NE):
        if self.n_group == 1:
            return scores_NE
        grouped = scores_NE.view(len(scores_NE), self.n_group, -1)
        group_scores = grouped.topk(2 if self.sigmoid else 1, dim=-1).values.sum(-1)
        kept = torch.zeros_like(group_scores, dtype=torch.bool)
        kept.scatter_(1, group_scores.topk(self.topk_group, dim=-1).indices, True)
        return grouped.masked_fill(~kept[..., None], float("-inf")).flatten(1)


class LatheMoE(nn.Module):
    def __init__(self, config, sizes):
        super().__init__()
        width, shared = sizes["moe_intermediate_size"], sizes.get("shared_expert_intermediate_size")
        hidden, bias = config.hidden_size, sizes.get("expert_bias", False)
        self.gate = LatheRouter(config, sizes)
        experts = (LatheMLP(hidden, width, down_bias=bias) for _ in range(sizes["num_experts"]))
        self.experts = nn.ModuleList(experts)
        self.shared_expert = LatheMLP(hidden, shared, down_bias=bias) if shared else None
        has_gate = sizes.get("shared_expert_gate", False)
        self.shared_expert_gate = nn.Linear(config.hidden_size, 1, bias=False) if has_gate else None

    def forward(self, x_BTD):
        """The output, and the balance loss of the Switch Transformer (arXiv:2101.03961): 1 at perfect balance."""
        x_ND = x_BTD.flatten(0, 1)
        logits_NE, choice_NK, weights_NK = self.gate(x_ND)
        y_ND = torch.zeros_like(x_ND)
        for expert in choice_NK.unique().tolist():
            tokens, place = torch.where(choice_NK == expert)
            part = self.experts[expert](x_ND[tokens]) * weights_NK[tokens, place, None].to(x_ND.dtype)
            y_ND = y_ND.index_add(0, tokens, part)
        if self.shared_expert is not None:
            shared_ND = self.shared_expert(x_ND)
            if self.shared_expert_gate is not None:
                shared_ND = torch.sigmoid(self.shared_expert_gate(x_ND)) * shared_ND
            y_ND = y_ND + shared_ND
        num_experts = logits_NE.shape[1]
        share_E = F.one_hot(choice_NK, num_experts).float().mean((0, 1))
        probability_E = logits_NE.float().softmax(-1).mean(0)
        return y_ND.view_as(x_BTD), num_experts * (share_E * probability_E).sum()


class LatheDecoderLayer(GradientCheckpointingLayer):
    def __init__(self, config, layer_idx):
        super().__init__()
        attention = config.layers[layer_idx].get("attention", {"kind": "gqa"})
        feed_forward = config.layers[layer_idx].get("feed_forward", {"kind": "dense"})
        is_mla, self.is_moe = attention["kind"] == "mla", feed_forward["kind"] == "moe"
        self.sliding_window = attention.get("sliding_window") or None
        self.input_layernorm = LatheRMSNorm(config.hidden_size, config.rms_norm_eps)
        self.self_attn = (
            LatheLatentAttention(config, attention, layer_idx)
            if is_mla
            else LatheGroupedQueryAttention(config, layer_idx)
        )
        self.post_attention_layernorm = LatheRMSNorm(config.hidden_size, config.rms_norm_eps)
        self.mlp = (
            LatheMoE(config, feed_forward)
            if self.is_moe
            else LatheMLP(config.hidden_size, config.intermediate_size, config.mlp_bias)
        )

    def forward(self, x_BTD, rope, mask, cache):
        """The block's output and its router's balance loss (None for a dense layer)."""
        x_BTD = x_BTD + self.self_attn(self.input_layernorm(x_BTD), rope, mask, cache)
        y = self.mlp(self.post_attention_layernorm(x_BTD))
        y_BTD, balance = y if self.is_moe else (y, None)
        return x_BTD + y_BTD, balance


class LathePreTrainedModel(PreTrainedModel):
    config_class = LatheConfig
    base_model_prefix = "model"
    supports_gradient_checkpointing = True
    _no_split_modules = ["LatheDecoderLayer"]
    _skip_keys_device_placement = ["past_key_values"]
    _supports_sdpa = True
    # Converted layers keep their correction bias in fp32: its updates are smaller than half precision can tell apart.
    _keep_in_fp32_modules_strict = ["e_score_correction_bias"]

    @torch.no_grad()
    def _init_weights(self, module):
        if isinstance(module, (nn.Linear, nn.Embedding)):
            nn.init.normal_(module.weight, std=self.config.initializer_range)
            if getattr(module, "bias", None) is not None:
                nn.init.zeros_(module.bias)
        elif isinstance(module, LatheRouter):
            nn.init.normal_(module.weight, std=self.config.initializer_range)
            if module.sigmoid:
                nn.init.zeros_(module.e_score_correction_bias)
        elif isinstance(module, LatheRMSNorm):
            nn.init.ones_(module.weight)
        elif isinstance(module, LatheRotaryEmbedding):
            module.inv_freq.copy_(LatheRotaryEmbedding(self.config).inv_freq)


class LatheModel(LathePreTrainedModel):
    def __init__(self, config):
        super().__init__(config)
        self.embed_tokens = nn.Embedding(config.vocab_size, config.hidden_size, config.pad_token_id)
        self.layers = nn.ModuleList(LatheDecoderLayer(config, i) for i in range(config.num_hidden_layers))
        self.norm = LatheRMSNorm(config.hidden_size, config.rms_norm_eps)
        self.rotary_emb = LatheRotaryEmbedding(config)
        self.gradient_checkpointing = False
        self.post_init()

    def masks(self, **arguments):
        """For each sliding window that a layer has (None: full attention) the mask of this call."""
        masks = {None: create_causal_mask(config=self.config, **arguments)}
        for window in {layer.sliding_window for layer in self.layers} - {None}:
            overlay = sliding_window_overlay(window)
            masks[window] = create_causal_mask(config=self.config, and_mask_function=overlay, **arguments)
        return masks

    def forward(
        self,
        input_ids=None,
        attention_mask=None,
        position_ids=None,
        past_key_values=None,
        inputs_embeds=None,
        use_cache=None,
        **kwargs,
    ):
        x_BTD = self.embed_tokens(input_ids) if inputs_embeds is None else inputs_embeds
        if use_cache and past_key_values is None:
            past_key_values = DynamicCache()
        if position_ids is None:
            seen = 0 if past_key_values is None else past_key_values.get_seq_length()
            position_ids = torch.arange(seen, seen + x_BTD.shape[1], device=x_BTD.device)[None]
        masks = self.masks(
            inputs_embeds=x_BTD,
            attention_mask=attention_mask,
            past_key_values=past_key_values,
            position_ids=position_ids,
        )
        rope = self.rotary_emb(x_BTD, position_ids)
        balances = []
        for layer in self.layers:
            x_BTD, balance = layer(x_BTD, rope, masks[layer.sliding_window], past_key_values)
            if balance is not None:
                balances.append(balance)
        output = BaseModelOutputWithPast(last_hidden_state=self.norm(x_BTD), past_key_values=past_key_values)
        output.balance = torch.stack(balances).mean() if balances else None
        return output


class LatheForCausalLM(LathePreTrainedModel, GenerationMixin):
    _tied_weights_keys = {"lm_head.weight": "model.embed_tokens.weight"}

    def __init__(self, config):
        super().__init__(config)
        self.model = LatheModel(config)
        self.lm_head = nn.Linear(config.hidden_size, config.vocab_size, bias=False)
        self.post_init()

    def forward(self, input_ids=None, labels=None, use_cache=None, logits_to_keep=0, **kwargs):
        """`loss` is the next token's cross-entropy plus router_aux_loss_coef times the mean balance of the routers."""
        use_cache = self.config.use_cache if use_cache is None else use_cache
        output = self.model(input_ids=input_ids, use_cache=use_cache and labels is None, **kwargs)
        keep = slice(-logits_to_keep, None) if isinstance(logits_to_keep, int) else logits_to_keep
        logits = self.lm_head(output.last_hidden_state[:, keep])
        loss, aux_loss = None, output.balance
        if labels is not None:
            loss = self.loss_function(logits=logits, labels=labels, vocab_size=self.config.vocab_size)
            if aux_loss is not None:
                loss = loss + self.config.router_aux_loss_coef * aux_loss
        return MoeCausalLMOutputWithPast(
            loss=loss, aux_loss=aux_loss, logits=logits, past_key_values=output.past_key_values
        )
