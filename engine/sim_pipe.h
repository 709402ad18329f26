/* SPDX-License-Identifier: MIT */
/*
 * sim_pipe.h - the simulated machine's pipes, and splice(2)
 *
 * Private to the simulated ring. Each end of a pipe is a socket of a family of its own: see
 * sim_net.h. All calls are attempts.
 */
#ifndef OURO_SIM_PIPE_H
#define OURO_SIM_PIPE_H

#include <stdbool.h>
#include <stdint.h>

#include "sim_net.h"

int ouro__sim_pipe_make(struct sim_net *net, int ret_fds[2]);

bool ouro__sim_pipe_is_writer(const struct sim_socket *end);

/* `end` is of the right kind. */
int ouro__sim_pipe_read(struct sim_net *net, struct sim_socket *end, void *buf, uint32_t len);
int ouro__sim_pipe_write(struct sim_net *net, struct sim_socket *end, const void *buf,
                         uint32_t len);

/* What can be read at once. */
uint32_t ouro__sim_pipe_readable(const struct sim_socket *end);

/* splice(2) with SPLICE_F_NONBLOCK; the offsets may be NULL. */
int ouro__sim_pipe_splice(struct sim_net *net, int fd_in, int64_t *offset_in, int fd_out,
                          int64_t *offset_out, uint32_t len, unsigned flags);

#endif /* OURO_SIM_PIPE_H */
