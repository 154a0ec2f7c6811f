/*
 * What the gateway's configuration says to workers: numbers that a shard itself
 * goes by, and all keys of [worker] as text, for applications.
 */
#ifndef SHARDD_OPTIONS_H
#define SHARDD_OPTIONS_H

#include <stddef.h>

#include "common/bytes.h"
#include "common/map.h"

struct options {			/* defaults in options.c */
	size_t		 message_max;		/* 16 MiB */
	size_t		 body_max;		/* 1 MiB */
	size_t		 body_memory;		/* 16 MiB: longer ones are in files */
	size_t		 spool_max;		/* 256 MiB: all of these files */
	size_t		 out_max;		/* 1 MiB already queued */
	size_t		 unfinished_max;	/* 64 MiB: of all clients */
	unsigned	 request_ms;		/* 30 000: head and body */
	unsigned	 closing_ms;		/* 5 000: close handshake */
	unsigned	 ping_ms;		/* 30 000 */
	unsigned	 drain_ms;		/* 10 000 */
	unsigned	 come_back_ms;		/* 5 000: when who is closed is to */
	unsigned	 orphan_ms;		/* 60 000: without a gateway */
	unsigned	 whisper_ask;		/* 8 neighbours */
	unsigned	 deflate;		/* 0: no */
	unsigned	 io_uring;		/* 1: where the kernel has it */
	unsigned	 turn_ms;		/* 10: work at one go */
	size_t		 store_max;		/* 16 MiB: a group's state */
	unsigned	 store_ttl;		/* s after its last use; 0: for ever */
	unsigned	 store_replicas;	/* 0: of Redis, that have what is announced */
	unsigned	 store_visit_ttl;	/* a day: if only visits wrote to it */
	unsigned	 work_threads;		/* 4: kennel_work()'s, at most */
	unsigned	 work_queue;		/* 1 000: jobs that wait for one */
	struct map	 texts;			/* struct options_text, by key */
	struct options_old *old;		/* texts that were given out */
};

void	 options_init(struct options *o);
void	 options_clear(struct options *o);
/* One key of [worker]: 0, or -1 with errno ENOMEM.  A number that cannot be read
 * leaves the one that was.  Each gateway that this process meets says all of them. */
int	 options_set(struct options *o, struct slice key, struct slice value);
/* The text of a key, or NULL.  It stays until options_clear(), also when another gateway
 * has said another one. */
const char *options_get(const struct options *o, const char *key);

#endif
