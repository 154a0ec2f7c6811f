/*
 * An arrival is an accepted socket until it has an owner: its head is read within
 * a deadline, routed and placed; or it is refused.  Behind a proxy that speaks the
 * PROXY protocol, the proxy's head comes first.  Also connections that came
 * home to wait for their next request (a limit of their own, 15 s, oldest closed
 * first).
 */
#ifndef GATEWAYD_ARRIVAL_H
#define GATEWAYD_ARRIVAL_H

#include <sys/socket.h>

#include <stddef.h>

#include "common/bytes.h"

struct arrivals;
struct capsule;
struct event_base;
struct handoffs;
struct http_head;
struct inlet;
struct lingerers;
struct placement;
struct settings;
struct totals;

/* All is borrowed, and outlives the arrivals but for handoffs.  NULL with errno. */
struct arrivals *arrivals_new(struct event_base *base,
	    const struct settings *settings, struct totals *totals,
	    struct placement *placement, struct lingerers *linger,
	    struct handoffs *handoffs);
/* Handshakes in progress are refused (503), idle ones at home closed, and so is who
 * comes home from here on. */
void	 arrivals_leave(struct arrivals *as);
/* After all that have a reference to a client's address. */
void	 arrivals_free(struct arrivals *as);
/* The sockets' callbacks. */
void	 arrival_accept_cb(int fd, const struct sockaddr *peer, socklen_t len,
	    const struct inlet *inlet, void *arrivals);
void	 arrival_refuse_cb(int fd, const struct inlet *inlet, void *arrivals);
/* Another server, which has proven that it is one, has asked h, the first of all that was
 * read; takes fd. */
void	 arrival_colleague(struct arrivals *as, int fd, const char *peer,
	    const struct http_head *h, struct slice all);
/* c: early bytes, peer, via, flags; fd is taken. */
void	 arrival_home(struct arrivals *as, const struct capsule *c, int fd);
size_t	 arrivals_count(const struct arrivals *as);	/* handshakes */
size_t	 arrivals_home(const struct arrivals *as);	/* waiting at home */

#endif
