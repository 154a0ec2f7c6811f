/*
 * What a stream has said, kept: since it opened, as long as somebody is on the way to this
 * process who may be one of its receivers; or until what was said before has come.
 */
#ifndef EVENTS_KEPT_H
#define EVENTS_KEPT_H

#include <stdint.h>

#include "common/bytes.h"
#include "common/list.h"

#define KEPT_MAX	((size_t)1 << 20)	/* bytes: its sender waits */

struct kept_chunk {
	struct list	 at;		/* kept->chunks */
	uint64_t	 place;		/* kept_add_at()'s */
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
/* The same before those of a later place; once. */
int	 kept_add_at(struct kept *k, uint64_t place, uint8_t data_type,
	    struct slice data);
/* The oldest, or NULL; and let that go. */
struct kept_chunk *kept_first(const struct kept *k);
void	 kept_drop_first(struct kept *k);
void	 kept_free(struct kept *k);

#endif
