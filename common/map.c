/* The seeded hash table of entries inside their owners. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/bytes.h"
#include "common/map.h"

#define MAP_MIN	16

static uint64_t	 map_seed[2];

static inline uint64_t
map_rotl(uint64_t v, int n)
{
	return (v << n | v >> (64 - n));
}

static inline void
map_round(uint64_t v[4])
{
	v[0] += v[1], v[2] += v[3];
	v[1] = map_rotl(v[1], 13) ^ v[0], v[3] = map_rotl(v[3], 16) ^ v[2];
	v[0] = map_rotl(v[0], 32);
	v[2] += v[1], v[0] += v[3];
	v[1] = map_rotl(v[1], 17) ^ v[2], v[3] = map_rotl(v[3], 21) ^ v[0];
	v[2] = map_rotl(v[2], 32);
}

/* SipHash-1-3 (Aumasson and Bernstein), seeded at the first use. */
static uint32_t
map_hash(const void *key, size_t len)
{
	const unsigned char	*p = key;
	uint64_t		 v[4], m;
	size_t			 left = len;

	if (map_seed[0] == 0) {
		map_seed[1] = bytes_random64();
		map_seed[0] = bytes_random64();
	}
	v[0] = map_seed[0] ^ 0x736f6d6570736575u;
	v[1] = map_seed[1] ^ 0x646f72616e646f6du;
	v[2] = map_seed[0] ^ 0x6c7967656e657261u;
	v[3] = map_seed[1] ^ 0x7465646279746573u;
	for (; left >= 8; p += 8, left -= 8) {
		memcpy(&m, p, 8);
		v[3] ^= m;
		map_round(v);
		v[0] ^= m;
	}
	m = (uint64_t)len << 56;
	for (size_t i = 0; i < left; i++)
		m |= (uint64_t)p[i] << (8 * i);
	v[3] ^= m;
	map_round(v);
	v[0] ^= m;
	v[2] ^= 0xff;
	map_round(v), map_round(v), map_round(v);
	m = v[0] ^ v[1] ^ v[2] ^ v[3];
	return ((uint32_t)(m ^ m >> 32));
}

void
map_clear(struct map *m)
{
	free(m->slots);
	memset(m, 0, sizeof(*m));
}

struct map_node *
map_find(const struct map *m, const void *key, size_t klen)
{
	struct map_node	*n;
	uint32_t	 hash;

	if (m->count == 0)
		return (NULL);
	hash = map_hash(key, klen);
	for (n = m->slots[hash & (m->nslots - 1)]; n != NULL; n = n->next)
		if (n->hash == hash && n->klen == klen &&
		    (klen == 0 || memcmp(n->key, key, klen) == 0))
			return (n);
	return (NULL);
}

/* Twice the slots; without memory it stays as it is. */
static void
map_grow(struct map *m)
{
	struct map_node	**slots, *n, *next;
	size_t		  nslots = m->nslots * 2;

	if ((slots = calloc(nslots, sizeof(struct map_node *))) == NULL)
		return;
	for (size_t i = 0; i < m->nslots; i++)
		for (n = m->slots[i]; n != NULL; n = next) {
			next = n->next;
			n->next = slots[n->hash & (nslots - 1)];
			slots[n->hash & (nslots - 1)] = n;
		}
	free(m->slots);
	m->slots = slots;
	m->nslots = nslots;
}

int
map_insert(struct map *m, struct map_node *n, const void *key, size_t klen)
{
	if (m->slots == NULL) {
		m->slots = calloc(MAP_MIN, sizeof(struct map_node *));
		if (m->slots == NULL)
			return (-1);
		m->nslots = MAP_MIN;
	} else if (m->count >= m->nslots)
		map_grow(m);
	n->key = key;
	n->klen = (uint32_t)klen;
	n->hash = map_hash(key, klen);
	n->next = m->slots[n->hash & (m->nslots - 1)];
	m->slots[n->hash & (m->nslots - 1)] = n;
	m->count++;
	return (0);
}

void
map_remove(struct map *m, struct map_node *n)
{
	struct map_node	**at = &m->slots[n->hash & (m->nslots - 1)];

	while (*at != n)
		at = &(*at)->next;
	*at = n->next;
	n->next = NULL;
	m->count--;
}

static struct map_node *
map_from(const struct map *m, size_t i)
{
	for (; i < m->nslots; i++)
		if (m->slots[i] != NULL)
			return (m->slots[i]);
	return (NULL);
}

struct map_node *
map_first(const struct map *m)
{
	return (map_from(m, 0));
}

struct map_node *
map_next(const struct map *m, const struct map_node *n)
{
	if (n->next != NULL)
		return (n->next);
	return (map_from(m, (n->hash & (m->nslots - 1)) + 1));
}
