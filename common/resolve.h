/*
 * A look-up of a host's name, which takes as long as it takes, and nobody's turn.
 *
 * By getaddrinfo(3) in a thread of its own, and so by all that the machine knows
 * names from (hosts file, DNS, mDNS, whatever nsswitch.conf says), of which
 * libevent's evdns has two.  An address that is written as one needs no thread.
 */
#ifndef COMMON_RESOLVE_H
#define COMMON_RESOLVE_H

struct addrinfo;
struct event_base;
struct resolve;

/* Once, from the loop: the addresses, borrowed; or NULL and why not. */
typedef void	resolve_cb(const struct addrinfo *found, const char *why,
		    void *arg);

/* Begin.  The object ends with the callback, or is cancelled.  NULL with errno
 * (EAGAIN: no thread could be had). */
struct resolve *resolve_new(struct event_base *base, const char *host, int port,
	    resolve_cb *cb, void *arg);
/* The callback will not come.  NULL is nothing. */
void	 resolve_cancel(struct resolve *r);

#endif
