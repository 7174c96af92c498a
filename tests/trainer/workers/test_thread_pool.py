"""Threads that share a product or a factor: they give what one gives, and leave nothing undone."""

import os
import threading

import numpy as np
import pytest

from workbench.trainer.workers.thread_pool import BlasThreadPool, open_thread_pool


def symmetric(order, seed=0):
    A = np.random.default_rng(seed).normal(size=(order + 5, order))
    return np.asfortranarray(A.T @ A + 0.1 * np.eye(order))


@pytest.mark.parametrize("threads", [1, 2, 3, 4])
@pytest.mark.parametrize(
    ("rows", "columns"), [(1, 1), (7, 3), (1000, 681), (300, 900), (64, 700), (2000, 107)]
)
def test_gram_is_the_product(threads, rows, columns):
    """JᵀJ is in the lower triangle for any number of threads, is added where asked; nothing else changes."""
    J = np.asfortranarray(np.random.default_rng(1).normal(size=(rows + 3, columns)))[:rows]
    expected = np.tril(J.T @ J)
    matrix = np.full((columns, columns), 7.0, order="F")
    with open_thread_pool(threads) as pool:
        pool.gram(J, matrix)
        np.testing.assert_allclose(np.tril(matrix), expected, rtol=1e-12, atol=1e-11)
        pool.gram(J, matrix, anew=False)
    np.testing.assert_allclose(np.tril(matrix), 2 * expected, rtol=1e-12, atol=1e-11)
    assert (matrix[np.triu_indices(columns, 1)] == 7.0).all()


@pytest.mark.parametrize("threads", [1, 2, 3])
@pytest.mark.parametrize("order", [1, 96, 383, 384, 681, 800])
def test_factor_is_cholesky_s(threads, order):
    """L·Lᵀ is the matrix, for orders on both sides of where threads are worth it."""
    matrix = symmetric(order)
    factor = matrix.copy(order="F")
    with open_thread_pool(threads) as pool:
        assert pool.factorise(factor)
    L = np.tril(factor)
    np.testing.assert_allclose(L @ L.T, matrix, rtol=1e-11, atol=1e-9)


@pytest.mark.parametrize("bad", [0, 350, 400, 680])
def test_what_is_not_positive_definite_has_no_factor(bad):
    """Wherever the first negative pivot is, the result is False, and the pool can be used again."""
    matrix = symmetric(681)
    matrix[bad, bad] = -1.0
    with open_thread_pool(2) as pool:
        assert not pool.factorise(matrix)
        assert pool.factorise(symmetric(681))


def test_the_same_bits_every_time():
    """Parts depend on sizes and the number of threads alone."""
    J = np.asfortranarray(np.random.default_rng(2).normal(size=(500, 400)))
    found = set()
    with open_thread_pool(2) as pool:
        for _ in range(5):
            matrix = np.zeros((400, 400), order="F")
            pool.gram(J, matrix)
            matrix += 500 * np.eye(400)
            assert pool.factorise(matrix)
            found.add(matrix.tobytes())
    assert len(found) == 1


def test_threads_end_with_the_pool():
    """After the context none of its threads is left."""
    before = set(threading.enumerate())  # others may end meanwhile
    with open_thread_pool(4) as pool:
        pool.gram(np.asfortranarray(np.ones((1000, 681))), np.zeros((681, 681), order="F"))
        members = [thread for thread in threading.enumerate() if thread not in before]
        assert members
        assert all(thread.name.startswith("linear algebra") for thread in members)
    for thread in members:
        thread.join(5)
        assert not thread.is_alive()


def test_an_error_in_a_part_is_raised_where_the_work_was_given():
    """What a thread raises is not lost, and the pool can be used again."""
    pool = BlasThreadPool(2)

    def fails():
        raise ZeroDivisionError

    try:
        with pytest.raises(ZeroDivisionError):
            pool.share([fails, lambda: None])
        done = []
        pool.share([lambda: done.append(1), lambda: done.append(2)])
        assert sorted(done) == [1, 2]
    finally:
        pool.close()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_child_works_alone():
    """A child has no other threads than the one that forked: it does not wait for them."""
    J = np.asfortranarray(np.random.default_rng(3).normal(size=(1000, 681)))
    with open_thread_pool(2) as pool:
        pool.gram(J, np.zeros((681, 681), order="F"))
        child = os.fork()
        if child == 0:
            matrix = np.zeros((681, 681), order="F")
            pool.gram(J, matrix)
            os._exit(0 if np.isfinite(matrix).all() else 1)
        assert os.waitpid(child, 0)[1] == 0


def test_an_error_waits_for_all_others():
    """The error of one thread is raised only after the others have finished writing."""
    pool, failed, done = BlasThreadPool(3), threading.Event(), []

    def fails():
        failed.set()
        raise MemoryError

    def slow():
        failed.wait()
        done.append(1)

    try:
        with pytest.raises(MemoryError):
            pool.share([slow, lambda: None, fails])
        assert done == [1]
        pool.share([slow, slow, lambda: None])
        assert done == [1, 1, 1]
    finally:
        pool.close()
