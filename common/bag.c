/* The hash table of nodes inside their owners. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/bag.h"
#include "common/bytes.h"

#define BAG_MIN	16

static uint64_t	 bag_seed[2];

static inline uint64_t
bag_rotl(uint64_t v, int n)
{
	return (v << n | v >> (64 - n));
}

static inline void
bag_round(uint64_t v[4])
{
	v[0] += v[1], v[2] += v[3];
	v[1] = bag_rotl(v[1], 13) ^ v[0], v[3] = bag_rotl(v[3], 16) ^ v[2];
	v[0] = bag_rotl(v[0], 32);
	v[2] += v[1], v[0] += v[3];
	v[1] = bag_rotl(v[1], 17) ^ v[2], v[3] = bag_rotl(v[3], 21) ^ v[0];
	v[2] = bag_rotl(v[2], 32);
}

/* SipHash-1-3 (Aumasson and Bernstein), seeded at the first use. */
uint32_t
bag_hash(const void *key, size_t len)
{
	const unsigned char	*p = key;
	uint64_t		 v[4], m;
	size_t			 left = len;

	if (bag_seed[0] == 0) {
		bag_seed[1] = bytes_random64();
		bag_seed[0] = bytes_random64();
	}
	v[0] = bag_seed[0] ^ 0x736f6d6570736575u;
	v[1] = bag_seed[1] ^ 0x646f72616e646f6du;
	v[2] = bag_seed[0] ^ 0x6c7967656e657261u;
	v[3] = bag_seed[1] ^ 0x7465646279746573u;
	for (; left >= 8; p += 8, left -= 8) {
		memcpy(&m, p, 8);
		v[3] ^= m;
		bag_round(v);
		v[0] ^= m;
	}
	m = (uint64_t)len << 56;
	for (size_t i = 0; i < left; i++)
		m |= (uint64_t)p[i] << (8 * i);
	v[3] ^= m;
	bag_round(v);
	v[0] ^= m;
	v[2] ^= 0xff;
	bag_round(v), bag_round(v), bag_round(v);
	m = v[0] ^ v[1] ^ v[2] ^ v[3];
	return ((uint32_t)(m ^ m >> 32));
}

void
bag_clear(struct bag *b)
{
	free(b->slots);
	memset(b, 0, sizeof(*b));
}

/* The first node of this hash, from n on along its slot. */
static struct bag_node *
bag_of(struct bag_node *n, uint32_t hash)
{
	while (n != NULL && n->hash != hash)
		n = n->next;
	return (n);
}

struct bag_node *
bag_find(const struct bag *b, uint32_t hash)
{
	return (b->count == 0 ? NULL :
	    bag_of(b->slots[hash & (b->nslots - 1)], hash));
}

struct bag_node *
bag_again(const struct bag_node *n)
{
	return (bag_of(n->next, n->hash));
}

/* Put n in front of what *at points to. */
static void
bag_link(struct bag_node **at, struct bag_node *n)
{
	n->next = *at;
	n->link = at;
	if (n->next != NULL)
		n->next->link = &n->next;
	*at = n;
}

/* Twice the slots; without memory the bag stays as it is. */
static void
bag_grow(struct bag *b)
{
	struct bag_node	**slots, *n, *next;
	size_t		  nslots = b->nslots * 2;

	if ((slots = calloc(nslots, sizeof(struct bag_node *))) == NULL)
		return;
	for (size_t i = 0; i < b->nslots; i++)
		for (n = b->slots[i]; n != NULL; n = next) {
			next = n->next;
			bag_link(&slots[n->hash & (nslots - 1)], n);
		}
	free(b->slots);
	b->slots = slots;
	b->nslots = nslots;
}

int
bag_insert(struct bag *b, struct bag_node *n, uint32_t hash)
{
	if (b->slots == NULL) {
		b->slots = calloc(BAG_MIN, sizeof(struct bag_node *));
		if (b->slots == NULL)
			return (-1);
		b->nslots = BAG_MIN;
	} else if (b->count >= b->nslots)
		bag_grow(b);
	n->hash = hash;
	bag_link(&b->slots[hash & (b->nslots - 1)], n);
	b->count++;
	return (0);
}

void
bag_remove(struct bag *b, struct bag_node *n)
{
	*n->link = n->next;
	if (n->next != NULL)
		n->next->link = n->link;
	n->next = NULL;
	n->link = NULL;
	b->count--;
}

/* The first node in slot i or behind. */
static struct bag_node *
bag_from(const struct bag *b, size_t i)
{
	for (; i < b->nslots; i++)
		if (b->slots[i] != NULL)
			return (b->slots[i]);
	return (NULL);
}

struct bag_node *
bag_first(const struct bag *b)
{
	return (bag_from(b, 0));
}

struct bag_node *
bag_next(const struct bag *b, const struct bag_node *n)
{
	if (n->next != NULL)
		return (n->next);
	return (bag_from(b, (n->hash & (b->nslots - 1)) + 1));
}
