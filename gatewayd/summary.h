/* A summary is the gateway in one line, for people. */
#ifndef GATEWAYD_SUMMARY_H
#define GATEWAYD_SUMMARY_H

#include <stddef.h>

struct status;

/*
 * "12 connections in 3 groups, 2 of 2 shards ready, Redis up", cut if there is no
 * room.  Of st are read: placement, roster (may be NULL), leaving, redis_url,
 * redis_up.
 */
void	 summary_write(const struct status *st, char *dst, size_t size);

#endif
