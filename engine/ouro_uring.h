/* SPDX-License-Identifier: MIT */
/*
 * ouro_uring.h - any SQE, for what ouro has no call of its own for
 *
 * The only public header that speaks of the ring's types. Not part of ouro.h.
 */
#ifndef OURO_URING_H
#define OURO_URING_H

#include "ouro_base.h"

struct io_uring_sqe; /* from <liburing.h>, or <linux/io_uring.h>; include the one you use */

OURO_BEGIN_DECLS

/*
 * Fills an SQE, all of it but user_data, as liburing's io_uring_prep_*() do. It
 * may run later than ouro_submit_sqe() was called, when the submission queue was
 * full, and must not suspend.
 */
typedef void ouro_prep_fn(struct io_uring_sqe *sqe, void *arg);

/*
 * ouro_submit_sqe - submit one SQE and wait for its completion
 * @ret_flags: the completion's IORING_CQE_F_* flags; may be NULL
 *
 * The memory that the SQE points to is free again when the call returns: an
 * interrupted call cancels the operation and waits for its end. Not for multishot
 * or linked requests, nor for ones that complete twice (zero-copy send).
 *
 * Context: task, may suspend.
 * Returns: the completion's `res`; -ECANCELED, -ETIMEDOUT. The simulated ring
 *          answers -EINVAL to opcodes that it does not know.
 */
OURO_API OURO_TASK int ouro_submit_sqe(ouro_prep_fn *prep, void *arg, uint32_t *ret_flags);

OURO_END_DECLS

#endif /* OURO_URING_H */
