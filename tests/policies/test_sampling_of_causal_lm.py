"""Sampling with a cache, side by side, against one response at a time without either."""

import numpy as np
import pytest
import torch
import transformers

from auralign.policies.autoregression import PromptBlock, pick, sample_responses, uniform_draws
from auralign.policies.kv_cache import ROOM, RoomyLayer, give_room

pytestmark = pytest.mark.slow

END, SIZE = 2, 12
CHOICES = torch.tensor([END, 3, 5, 6, 9, 11])
PROMPTS = [[4, 7, 1], [8], [3, 3, 3, 10, 1], [8]]


def small(make: type[transformers.PreTrainedModel], config: transformers.PretrainedConfig):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return make(config).eval()


def llama() -> transformers.PreTrainedModel:
    config = transformers.LlamaConfig(
        vocab_size=SIZE,
        hidden_size=16,
        intermediate_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=1,
        initializer_range=0.2,
        bos_token_id=0,
        eos_token_id=END,
    )
    return small(transformers.LlamaForCausalLM, config)


def sliding() -> transformers.PreTrainedModel:
    """Whose layers see a window of four ids, so that their cache is of another kind."""
    config = transformers.MistralConfig(
        vocab_size=SIZE,
        hidden_size=16,
        intermediate_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=1,
        initializer_range=0.2,
        sliding_window=4,
        bos_token_id=0,
        eos_token_id=END,
    )
    return small(transformers.MistralForCausalLM, config)


MODELS = {"llama": llama, "sliding": sliding}


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def may_come(position: int) -> torch.Tensor:
    """No end at the first position, so that it does not come at an index of its own each time."""
    return CHOICES if position else CHOICES[1:]


def sample(model, prompts, *, max_ids: int = 30, choices=may_come, seed: int = 0, temperature=1.0):
    return sample_responses(
        model,
        PromptBlock.of(prompts, torch.device("cpu")),
        choices,
        end_id=END,
        max_ids=max_ids,
        temperature=temperature,
        generator=seeded(seed),
    )


@torch.no_grad()
def one_at_a_time(model, prompt: list[int], uniform: list[float], choices=may_come) -> list[int]:
    """Read everything anew for each id; take the first whose cumulative probability is enough."""
    response: list[int] = []
    for position, enough in enumerate(uniform):
        ids = choices(position)
        logits = model(input_ids=torch.tensor([prompt + response]), use_cache=False).logits[0, -1]
        reached = torch.softmax(logits[ids].double(), 0).cumsum(0) >= enough
        new = int(ids[reached.nonzero()[0, 0]])
        if new == END:
            return response
        response.append(new)
    return response


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("prompts", [PROMPTS, [[4, 7], [8, 1], [3, 5]]])
def test_sampling_equals_a_slow_twin_without_cache_and_batch(name, prompts):
    model = MODELS[name]()
    uniform = 1 - torch.rand(len(prompts), 30, dtype=torch.float64, generator=seeded())
    slow = [one_at_a_time(model, p, u) for p, u in zip(prompts, uniform.tolist(), strict=True)]
    responses, ended = sample(model, prompts)
    assert [r.tolist() for r in responses] == slow
    assert ended == [len(r) < 30 for r in slow]
    assert len({len(r) for r in slow}) > 1


def test_a_response_does_not_depend_on_which_others_are_sampled_after_it_or_beside_it():
    model = llama()
    together, _ = sample(model, PROMPTS)
    for n in range(1, len(PROMPTS)):
        some, _ = sample(model, PROMPTS[:n])
        assert [r.tolist() for r in some] == [r.tolist() for r in together[:n]]


def test_batches_cut_anywhere_sample_the_same():
    model, generator = llama(), seeded()
    block = [PromptBlock.of(part, torch.device("cpu")) for part in (PROMPTS[:1], PROMPTS[1:])]
    options = {"end_id": END, "max_ids": 30, "temperature": 1.0, "generator": generator}
    parts = [sample_responses(model, part, may_come, **options)[0] for part in block]
    whole, _ = sample(model, PROMPTS)
    assert [r.tolist() for part in parts for r in part] == [r.tolist() for r in whole]


def test_nearly_greedy_responses_stay_with_their_prompts_in_any_order():
    model = llama()
    answers, _ = sample(model, PROMPTS, temperature=1e-6)
    backwards, _ = sample(model, PROMPTS[::-1], temperature=1e-6, seed=1)
    assert [r.tolist() for r in backwards[::-1]] == [r.tolist() for r in answers]


def test_a_response_that_ends_at_once_is_empty_and_one_at_the_limit_has_not_ended():
    empty, ended = sample(llama(), PROMPTS, choices=lambda _: CHOICES[:1])
    assert [len(r) for r in empty] == [0] * 4
    assert ended == [True] * 4
    full, ended = sample(llama(), PROMPTS, max_ids=3, choices=lambda _: CHOICES[1:])
    assert [len(r) for r in full] == [3] * 4
    assert ended == [False] * 4


def test_a_model_reads_no_sequence_again_after_its_end():
    model, read = llama(), []
    model.register_forward_hook(lambda _, __, out: read.append(out.logits.shape[0]))
    responses, ended = sample(model, PROMPTS)
    lengths = np.array([len(r) for r in responses]) + np.array(ended)
    assert read == [int((lengths > position).sum()) for position in range(lengths.max())]


@torch.no_grad()
def test_a_roomy_cache_holds_what_a_dynamic_one_holds():
    model, generator = llama(), seeded()
    plain, roomy = transformers.DynamicCache(config=model.config), None
    ids = torch.randint(SIZE, (4, 3), generator=generator)
    for step in range(ROOM + 40):
        options = {"input_ids": ids, "use_cache": True}
        one = model(**options, past_key_values=plain)
        other = model(**options, past_key_values=roomy)
        if roomy is None:
            roomy = other.past_key_values
            give_room(roomy)
            assert all(type(layer) is RoomyLayer for layer in roomy.layers)
        torch.testing.assert_close(one.logits, other.logits)
        if step in (5, ROOM + 3):
            rows = torch.tensor([2, 1, 3] if step == 5 else [2, 1])
            for cache in (plain, roomy):
                cache.batch_select_indices(rows)
            ids = ids[rows]
        for layer, twin in zip(plain.layers, roomy.layers, strict=True):
            torch.testing.assert_close(layer.keys, twin.keys)
            torch.testing.assert_close(layer.values, twin.values)
        assert roomy.get_seq_length() == plain.get_seq_length()
        ids = torch.randint(SIZE, (len(ids), 1), generator=generator)


def test_a_choice_is_picked_over_the_stretch_of_its_probability():
    logits = torch.tensor([0.2, 0.0, 0.5, 0.3, 0.0]).log()
    edges = [1e-12, 0.19, 0.21, 0.69, 0.71, 1.0]
    picked = pick(logits.expand(6, -1), 1.0, torch.tensor(edges, dtype=torch.float64))
    assert picked.tolist() == [0, 0, 2, 2, 3, 3]


def test_a_temperature_raises_probabilities_to_its_inverse():
    logits = torch.tensor([[1.0, 3.0]]).log()
    # At temperature 1/2 the odds 1 : 3 become 1 : 9.
    for uniform, index in ((0.099, 0), (0.101, 1)):
        assert pick(logits, 0.5, torch.tensor([uniform], dtype=torch.float64)).item() == index


def test_draws_are_above_zero_and_follow_each_other_row_by_row():
    whole = uniform_draws((5, 40), seeded(), torch.device("cpu"))
    generator = seeded()
    rows = [uniform_draws((n, 40), generator, torch.device("cpu")) for n in (1, 3, 1)]
    assert torch.equal(torch.cat(rows), whole)
    assert whole.min() > 0
    assert whole.max() <= 1
