/*
 * A hash table of nodes that live inside their owners, which know their keys: a
 * search walks the nodes of one hash.  Equal keys may be in a bag many times; adding
 * and removing take the same time for any number of them.  Growing failures are
 * harmless: chains get longer.
 *
 * There are two hash tables.  This one costs each entry a node of 24 bytes, and in
 * return removes in one step and keeps members of one uid, of which there may be
 * thousands; map.h is this one for entries with a key of bytes that is there once.
 * set.h costs 11 to 21 bytes and nothing in the entry, which counts for the gateway's
 * member records, some hundred thousands of a few words each; it has to search to
 * remove, and equal keys would make it slow.
 */
#ifndef COMMON_BAG_H
#define COMMON_BAG_H

#include <stddef.h>
#include <stdint.h>

struct bag_node {
	struct bag_node	*next, **link;	/* link: what points at this node */
	uint32_t	 hash;
	uint32_t	 mine;		/* the owner's, for whatever it likes */
};

struct bag {
	struct bag_node	**slots;
	size_t		 nslots, count;
};

/* Of a key: seeded at start, for keys come from clients. */
uint32_t bag_hash(const void *key, size_t len);
/* Of a number that no client has chosen. */
static inline uint32_t
bag_hash_id(uint64_t id)
{
	return ((uint32_t)(id * 0x9e3779b97f4a7c15u >> 32));
}

/* Zero-initialised is empty and valid. */
void	 bag_clear(struct bag *b);	/* frees the slots, not the owners */
/* The nodes of this hash: for (n = bag_find(b, h); n != NULL; n = bag_again(n)). */
struct bag_node *bag_find(const struct bag *b, uint32_t hash);
struct bag_node *bag_again(const struct bag_node *n);
/* 0, or -1 with errno ENOMEM (only the very first insertion can fail). */
int	 bag_insert(struct bag *b, struct bag_node *n, uint32_t hash);
void	 bag_remove(struct bag *b, struct bag_node *n);	/* n is in b */
/* Walk: for (n = bag_first(b); n != NULL; n = bag_next(b, n)).  To remove
 * while walking, fetch the next one first. */
struct bag_node *bag_first(const struct bag *b);
struct bag_node *bag_next(const struct bag *b, const struct bag_node *n);

#endif
