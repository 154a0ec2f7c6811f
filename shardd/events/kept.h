/*
 * What a stream has said since it opened, kept as long as somebody is on the way to this
 * process who may be one of its receivers.
 */
#ifndef EVENTS_KEPT_H
#define EVENTS_KEPT_H

#include <stdint.h>

#include "common/bytes.h"
#include "common/list.h"

#define KEPT_MAX	((size_t)1 << 20)	/* bytes: its sender waits */

struct kept_chunk {
	struct list	 at;		/* kept->chunks */
	uint8_t		 data_type;
	size_t		 len;
	char		 data[];
};

struct kept {
	struct list	 chunks;	/* struct kept_chunk, oldest first */
	size_t		 bytes;
	uint64_t	 until;		/* kennel_replica_expected() as it opened */
};

/* NULL without memory. */
struct kept *kept_new(uint64_t until);
/* 0, or -1 without memory. */
int	 kept_add(struct kept *k, uint8_t data_type, struct slice data);
void	 kept_free(struct kept *k);

#endif
