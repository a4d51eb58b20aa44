"""What options begin with alike stands in the tree once."""

from __future__ import annotations

import torch

from lora.causal.trie import make_trie


def test_common_beginnings_are_one_node_and_ends_are_none() -> None:
    trie = make_trie([(1, 2, 9), (1, 3, 9), (4, 9), (1, 2, 9)])
    assert sorted(zip(trie.tokens, trie.depths, strict=True)) == [(1, 0), (2, 1), (3, 1), (4, 0)]
    assert len(trie.edges) == 7  # four tokens, three ends
    assert trie.paths.sum(1).tolist() == [3, 3, 2, 3]
    assert torch.equal(trie.paths[0], trie.paths[3])


def test_a_node_sees_its_ancestors_and_itself_alone() -> None:
    trie = make_trie([(1, 2, 3, 9), (1, 5, 9)])
    seen = {t: {trie.tokens[i] for i in trie.sees[n].nonzero()} for n, t in enumerate(trie.tokens)}
    assert seen == {1: {1}, 2: {1, 2}, 3: {1, 2, 3}, 5: {1, 5}}


def test_options_of_one_token_need_no_node() -> None:
    trie = make_trie([(7,), (8,)])
    assert len(trie) == 0 and [token for _, token in trie.edges] == [7, 8]


def test_what_several_options_share_is_told_from_their_own_ends() -> None:
    trie = make_trie([(1, 2, 3, 9), (1, 2, 9), (1, 5, 6, 9), (4, 7, 9), (4, 7, 9)])
    named = [[trie.tokens[n] for n in nodes] for nodes in (trie.trunk, *trie.tails)]
    assert named == [[1, 2, 4, 7], [3], [], [5, 6], [], []]
