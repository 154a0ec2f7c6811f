/*
 * The state of a group: named maps of keys to values, all bytes.  Every replica
 * has a copy; who may change it, and when, is the authority's business.
 *
 * A map whose name begins with '~' is volatile: it is in memory only.
 */
#ifndef SHARDD_MAPS_H
#define SHARDD_MAPS_H

#include <stdint.h>

#include "common/bytes.h"
#include "common/map.h"

struct maps {
	struct map	 by_name;	/* struct maps_one, none of them empty */
	size_t		 bytes;		/* names, keys, values and what they cost */
};

struct maps_entry {
	struct map_node	 by_key;
	char		*value;		/* terminated */
	uint32_t	 len, key_len;
	char		 key[];		/* terminated */
};

struct maps_one {
	struct map_node	 by_name;
	struct map	 entries;
	size_t		 name_len;
	long		 net;		/* decide.c: keys more than below */
	char		 name[];	/* terminated */
};

#define MAPS_ENTRY_COST	80		/* bytes of an entry beside its data */

static inline int
maps_volatile(struct slice name)
{
	return (name.len > 0 && name.data[0] == '~');
}

void	 maps_clear(struct maps *m);
/* NULL if there is none (empty maps are none). */
struct maps_one *maps_find(const struct maps *m, struct slice name);
/* data NULL if the key is not there; valid until it changes. */
struct slice maps_get(const struct maps *m, struct slice name,
	    struct slice key);
/* value data NULL: remove.  0, or -1 with errno ENOMEM and nothing changed. */
int	 maps_put(struct maps *m, struct slice name, struct slice key,
	    struct slice value);
size_t	 maps_count(const struct maps *m, struct slice name);
typedef void	maps_each_cb(struct slice key, struct slice value, void *arg);
/* In no order; cb may not change m. */
void	 maps_each(const struct maps *m, struct slice name, maps_each_cb *cb,
	    void *arg);
/*
 * About max entries, from *cursor on, which is 0 at first and 0 again behind the
 * last.  One that came may come again if the map has grown meanwhile; none that
 * was there all along is left out.
 */
void	 maps_some(const struct maps *m, struct slice name, uint64_t *cursor,
	    size_t max, maps_each_cb *cb, void *arg);

#endif
