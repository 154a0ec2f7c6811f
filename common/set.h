/*
 * A hash table of pointers, for entries so many and so small that a node in each
 * would count (bag.h says when to take which).  Entries know their keys and hashes
 * themselves; each stands in a set once.
 *
 *	for (e = set_find(s, hash, &at); e != NULL; e = set_again(s, &at))
 *		if (e is the one)
 *			...
 */
#ifndef COMMON_SET_H
#define COMMON_SET_H

#include <stddef.h>
#include <stdint.h>

struct set {			/* zero-initialised but for hash is empty */
	uint32_t (*hash)(const void *entry);
	void	**slots;
	size_t	 nslots, count;
};

void	 set_clear(struct set *s);	/* frees the slots, not the entries */
/* The first entry that may have this hash, and the next; NULL: there is none (any more).
 * *at is where the search stands; nothing may be put in or taken out meanwhile. */
void	*set_find(const struct set *s, uint32_t hash, size_t *at);
void	*set_again(const struct set *s, size_t *at);
int	 set_insert(struct set *s, void *entry);	/* 0, or -1 with ENOMEM */
void	 set_remove(struct set *s, const void *entry);	/* entry is in s */
/*
 * Walk, *at from 0: the next entry, or NULL.  To remove the entry that was
 * given, take 1 from *at, where another may stand now.
 */
void	*set_next(const struct set *s, size_t *at);

#endif
