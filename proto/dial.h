/* SPDX-License-Identifier: MIT */
/*
 * dial.h - connecting to one of several addresses: the part of dial.c below the names
 */
#ifndef OURO_DIAL_H
#define OURO_DIAL_H

#include <stddef.h>
#include <stdint.h>

#include "ouro_address.h"

/*
 * RFC 8305 §8: a fixed Connection Attempt Delay has 250 ms, and none may have less than 10 ms
 * (§5), lest a slow link be flooded with attempts.
 */
#define DIAL_DELAY_NS     (250 * OURO_MILLISECOND)
#define DIAL_DELAY_MIN_NS (10 * OURO_MILLISECOND)

/*
 * Sorts the addresses as RFC 8305 §4 asks: the families take turns, beginning with that of the
 * first address (First Address Family Count is 1); within a family the order stays.
 */
void ouro__dial_interleave(struct ouro_address *addresses, size_t count);

/*
 * Connects to the first address that accepts, starting with the next one `delay_ns` after the
 * one before, or when that has failed. Returns the socket, owned; the caller's interruption;
 * or the error of the first address.
 */
OURO_TASK int ouro__dial_connect(const struct ouro_address *addresses, size_t count,
                                 int64_t delay_ns);

#endif /* OURO_DIAL_H */
