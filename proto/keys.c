/* Names of what is in Redis. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "proto/keys.h"
#include "proto/limits.h"

static char	*keys_string(struct buf *b);

void
keys_address(char *dst, size_t size, const char *node, uint32_t slot,
    uint64_t incarnation)
{
	snprintf(dst, size, "%s/%" PRIu32 "#%016" PRIx64, node, slot,
	    incarnation);
}

int
keys_address_parse(struct slice a, size_t *node_len, uint32_t *slot,
    uint64_t *incarnation)
{
	const char	*hash, *slash;
	uint64_t	 v = 0, n;
	int		 c;

	/* From the end, for a node's name may have any character. */
	if (a.len == 0 || (hash = memrchr(a.data, '#', a.len)) == NULL ||
	    a.data + a.len - hash != 1 + 16)
		goto bad;
	for (const char *p = hash + 1; p < a.data + a.len; p++) {
		c = *p;
		if (c >= '0' && c <= '9')
			c -= '0';
		else if (c >= 'a' && c <= 'f')
			c -= 'a' - 10;
		else
			goto bad;
		v = v << 4 | (uint64_t)c;
	}
	slash = memrchr(a.data, '/', (size_t)(hash - a.data));
	if (slash == NULL || slash == a.data || slash - a.data > NODE_MAX)
		goto bad;
	if (slice_u64(slice_of(slash + 1, (size_t)(hash - slash - 1)),
	    SLOTS_MAX - 1, &n) == -1)
		goto bad;
	*node_len = (size_t)(slash - a.data);
	*slot = (uint32_t)n;
	*incarnation = v;
	return (0);
bad:
	errno = EINVAL;
	return (-1);
}

void
keys_add_client(struct buf *b, const char *prefix, struct slice group,
    struct slice uid)
{
	buf_adds(b, prefix);
	buf_adds(b, "client:");
	keys_name(b, group);
	buf_adds(b, ":");
	keys_name(b, uid);
}

char *
keys_client(const char *prefix, struct slice group, struct slice uid)
{
	struct buf	b = { 0 };

	keys_add_client(&b, prefix, group, uid);
	return (keys_string(&b));
}

char *
keys_shard_clients(const char *prefix, const char *address)
{
	struct buf	b = { 0 };

	buf_adds(&b, prefix);
	buf_adds(&b, "shard:");
	keys_name(&b, slice_str(address));
	buf_adds(&b, ":clients");
	return (keys_string(&b));
}

void
keys_add_group(struct buf *b, const char *prefix, struct slice group)
{
	buf_adds(b, prefix);
	buf_adds(b, "group:");
	keys_name(b, group);
}

char *
keys_group(const char *prefix, struct slice group)
{
	struct buf	b = { 0 };

	keys_add_group(&b, prefix, group);
	return (keys_string(&b));
}

char *
keys_shard(const char *prefix, const char *address)
{
	struct buf	b = { 0 };

	buf_adds(&b, prefix);
	buf_adds(&b, "shard:");
	keys_name(&b, slice_str(address));
	return (keys_string(&b));
}

/* A name of which there is one. */
static char *
keys_one(const char *prefix, const char *name)
{
	struct buf	b = { 0 };

	buf_adds(&b, prefix);
	buf_adds(&b, name);
	return (keys_string(&b));
}

char *
keys_lost(const char *prefix)
{
	return (keys_one(prefix, "lost"));
}

/* Two names behind prefix and kind, decoded to dst: 0, or -1, it is not so. */
static int
keys_two(const char *prefix, const char *kind, struct slice key, char *dst,
    struct slice *one, struct slice *two)
{
	size_t		 len = strlen(prefix), klen = strlen(kind);
	const char	*colon;

	if (key.len <= len + klen || memcmp(key.data, prefix, len) != 0 ||
	    memcmp(key.data + len, kind, klen) != 0)
		return (-1);
	len += klen;
	key = slice_of(key.data + len, key.len - len);
	if ((colon = memchr(key.data, ':', key.len)) == NULL)
		return (-1);
	len = (size_t)(colon - key.data);
	*one = slice_of(dst, bytes_unpercent(dst, slice_of(key.data, len), 0));
	dst += one->len;
	*two = slice_of(dst, bytes_unpercent(dst, slice_of(colon + 1,
	    key.len - len - 1), 0));
	return (0);
}

int
keys_client_parse(const char *prefix, struct slice key, char *dst,
    struct slice *group, struct slice *uid)
{
	return (keys_two(prefix, "client:", key, dst, group, uid));
}

char *
keys_places(const char *prefix, struct slice group, struct slice app)
{
	struct buf	b = { 0 };

	buf_adds(&b, prefix);
	buf_adds(&b, "places:");
	keys_name(&b, group);
	buf_adds(&b, ":");
	keys_name(&b, app);
	return (keys_string(&b));
}

int
keys_places_parse(const char *prefix, struct slice key, char *dst,
    struct slice *group, struct slice *app)
{
	return (keys_two(prefix, "places:", key, dst, group, app));
}

char *
keys_node_places(const char *prefix, const char *node)
{
	struct buf	b = { 0 };

	buf_adds(&b, prefix);
	buf_adds(&b, "node:");
	keys_name(&b, slice_str(node));
	buf_adds(&b, ":places");
	return (keys_string(&b));
}

char *
keys_shards(const char *prefix)
{
	return (keys_one(prefix, "shards"));
}

char *
keys_nodes(const char *prefix)
{
	return (keys_one(prefix, "nodes"));
}

char *
keys_sweeper(const char *prefix)
{
	return (keys_one(prefix, "sweeper"));
}

int
keys_shard_address(const char *prefix, struct slice *key)
{
	static const char	 kind[] = "shard:";
	size_t			 skip = strlen(prefix) + strlen(kind);
	const char		*colon;

	if (key->len <= skip || memcmp(key->data, prefix, strlen(prefix)) !=
	    0 || memcmp(key->data + strlen(prefix), kind, strlen(kind)) != 0)
		return (-1);
	key->data += skip;
	key->len -= skip;
	if ((colon = memchr(key->data, ':', key->len)) != NULL)
		key->len = (size_t)(colon - key->data);
	return (0);
}

char *
keys_node(const char *prefix, const char *node)
{
	struct buf	b = { 0 };

	buf_adds(&b, prefix);
	buf_adds(&b, "node:");
	keys_name(&b, slice_str(node));
	return (keys_string(&b));
}

char *
keys_epoch(const char *prefix, struct slice group)
{
	struct buf	b = { 0 };

	buf_adds(&b, prefix);
	buf_adds(&b, "epoch:");
	keys_name(&b, group);
	return (keys_string(&b));
}

char *
keys_store(const char *prefix, struct slice group, struct slice app)
{
	struct buf	b = { 0 };

	buf_adds(&b, prefix);
	buf_adds(&b, "store:");
	keys_name(&b, group);
	buf_adds(&b, ":");
	keys_name(&b, app);
	return (keys_string(&b));
}

/* What could end a name early, or not be typed into redis-cli, is encoded. */
void
keys_name(struct buf *b, struct slice s)
{
	for (size_t i = 0; i < s.len; i++) {
		unsigned char	c = (unsigned char)s.data[i];

		if (c < 0x20 || c >= 0x7f || c == '%' || c == ':')
			buf_addf(b, "%%%02X", c);
		else
			buf_add(b, &c, 1);
	}
}

/* The buffer as a string that is the caller's. */
static char *
keys_string(struct buf *b)
{
	if (buf_add(b, "", 1) == -1) {
		buf_clear(b);
		errno = ENOMEM;
		return (NULL);
	}
	return (b->data);
}
