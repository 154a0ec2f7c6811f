/* What the functions of kennel.h have in common: the names of things, and texts. */
#ifndef SHARDD_API_H
#define SHARDD_API_H

#include <stdint.h>

#include "common/bytes.h"

struct conn;
struct kennel_replica;
struct kennel_socket;
struct payload;
struct replica;

static inline struct conn *
conn_of(const struct kennel_socket *s)
{
	return ((struct conn *)(uintptr_t)s);
}

static inline struct replica *
replica_of(const struct kennel_replica *r)
{
	return ((struct replica *)(uintptr_t)r);
}

/* Hand out s. */
static inline const char *
api_slice(struct slice s, size_t *len)
{
	if (len != NULL)
		*len = s.len;
	return (s.data);
}

/* What may be NULL is then empty. */
static inline struct slice
api_text(const char *s, size_t len)
{
	return (s == NULL ? slice_str("") : slice_of(s, len));
}

/*
 * Make the payload of a message: text must be UTF-8 (RFC 6455 5.6).  NULL with errno
 * EINVAL, EILSEQ or ENOMEM.
 */
struct payload *api_payload(const char *data, size_t len, int flags);
/* The same for one raw client: any bytes. */
struct payload *api_message(const char *data, size_t len, int flags);

#endif
