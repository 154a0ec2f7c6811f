/* Any text as a name in Redis, or as a shard's address: what it names is named alike again. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/keys.h"
#include "proto/limits.h"

int	 LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Does a key that says two things say them again once it is made of them? */
static void
two(struct slice key, int (*parse)(const char *, struct slice, char *,
    struct slice *, struct slice *), char *(*make)(const char *, struct slice,
    struct slice))
{
	struct slice	 a, b, c, d;
	char		*dst = malloc(key.len + 1), *more, *made;

	if (dst == NULL)
		return;
	if (parse(KEYS_PREFIX, key, dst, &a, &b) == 0) {
		if (a.len + b.len > key.len ||
		    (made = make(KEYS_PREFIX, a, b)) == NULL ||
		    (more = malloc(strlen(made) + 1)) == NULL)
			abort();
		if (parse(KEYS_PREFIX, slice_str(made), more, &c, &d) == -1 ||
		    !slice_eq(a, c) || !slice_eq(b, d))
			abort();
		free(made);
		free(more);
	}
	free(dst);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice	 text = slice_of(data, size), rest = text;
	char		 node[NODE_MAX + 1], again[NODE_MAX + 64];
	size_t		 n;
	uint32_t	 slot;
	uint64_t	 incarnation;

	two(text, keys_client_parse, keys_client);
	two(text, keys_places_parse, keys_places);
	if (keys_shard_address(KEYS_PREFIX, &rest) == 0 && (rest.len > text.len ||
	    (rest.len > 0 && (rest.data < text.data ||
	    rest.data + rest.len > text.data + text.len))))
		abort();
	if (keys_address_parse(text, &n, &slot, &incarnation) == 0) {
		if (n == 0 || n > NODE_MAX || slot >= SLOTS_MAX)
			abort();
		memcpy(node, data, n);
		node[n] = '\0';
		if (strlen(node) != n)
			return (0);		/* a NUL is no part of a name */
		keys_address(again, sizeof(again), node, slot, incarnation);
		if (keys_address_parse(slice_str(again), &n, &slot,
		    &incarnation) == -1 || n != strlen(node))
			abort();
	}
	return (0);
}
