/*
 * A client on its way to another process.  The record is one msgpack array, whose fields
 * are a row; behind it are the bytes of the program's own (ape_hooks).
 */
#include <errno.h>
#include <string.h>

#include "proto/pack.h"
#include "shardd/ape/bounds.h"
#include "shardd/ape/download.h"
#include "shardd/ape/journey.h"
#include "shardd/ape/registry.h"
#include "shardd/ape/room.h"

#define JOURNEY_CLIENT	1		/* the type of the row */
#define JOURNEY_COOKIE	65536		/* bytes of a cookie */
#define JOURNEY_CALLS	(512 << 10)	/* of what is known of calls */

#define JOURNEY_F_COOKIE	0x1	/* it has one */
#define JOURNEY_F_KEPT		0x2	/* the program's bytes follow */

struct record {
	struct slice	 id, session, cookie, calls;
	uint32_t	 flags, version;	/* of the program's bytes */
};

enum { F_END = PACK_END, F_LATER = PACK_LATER,
    F_ID = PACK_FIRST, F_SESSION, F_COOKIE, F_CALLS, F_FLAGS, F_VERSION };

static const struct pack_field fields[] = {
	[F_ID]		= { PACK_SLICE, offsetof(struct record, id), APE_ID },
	[F_SESSION]	= { PACK_SLICE, offsetof(struct record, session),
			    APE_ID },
	[F_COOKIE]	= { PACK_SLICE, offsetof(struct record, cookie),
			    JOURNEY_COOKIE },
	[F_CALLS]	= { PACK_SLICE, offsetof(struct record, calls),
			    JOURNEY_CALLS },
	[F_FLAGS]	= { PACK_U32, offsetof(struct record, flags), UINT32_MAX },
	[F_VERSION]	= { PACK_U32, offsetof(struct record, version),
			    UINT32_MAX },
};

/* A new field stands behind an F_LATER. */
static const uint8_t row[PACK_ROW] = {
	F_ID, F_SESSION, F_COOKIE, F_CALLS, F_FLAGS, F_VERSION
};

/* Has the program something to do with clients which it does not give along? */
static int
journey_is_tied(void)
{
	const struct ape_hooks	*h = registry_hooks();

	return (h->moves == 0 && (h->onconnect != NULL ||
	    h->ondisconnect != NULL));
}

/* Is nothing of c under way? */
static int
journey_is_idle(const struct ape_client *c)
{
	return (c->ready && list_empty(&c->calls) && list_empty(&c->waiting));
}

/* What is known of c, but for the program's bytes, and with `calls`. */
static void
journey_write(struct buf *b, const struct ape_client *c, struct slice calls,
    uint32_t flags)
{
	struct record	 r = { .id = slice_str(c->id),
			    .session = slice_str(c->session), .calls = calls,
			    .flags = flags, .version = registry_hooks()->moves };

	if (c->session_id != NULL) {
		r.flags |= JOURNEY_F_COOKIE;
		r.cookie = slice_str(c->session_id);
	}
	buf_reset(b);
	pack_row(b, JOURNEY_CLIENT, row, fields, &r, 1);
}

int
journey_pack(const struct ape_client *c, struct kennel_blob *blob)
{
	static struct buf	 calls, out;
	const struct ape_hooks	*h = registry_hooks();

	errno = ENOTSUP;
	if (journey_is_tied() || (h->moves == 0 && c->data != NULL))
		return (-1);
	errno = EAGAIN;
	if (!journey_is_idle(c) || download_is_due(c->session, c->id))
		return (-1);
	buf_reset(&calls);
	recent_save(&c->recent, &calls, kennel_time(), bounds_get(BOUND_AGE));
	journey_write(&out, c, slice_of(calls.data, calls.len),
	    h->freeze != NULL ? JOURNEY_F_KEPT : 0);
	errno = ENOTSUP;
	if (calls.failed || out.failed ||
	    kennel_blob_add(blob, out.data, out.len) == -1)
		return (-1);
	return (h->freeze == NULL ? 0 : h->freeze((struct ape_client *)
	    (uintptr_t)c, blob));
}

void
journey_touch(struct ape_client *c)
{
	static struct buf	 out;
	int			 idle = journey_is_idle(c) && !journey_is_tied();

	if (idle == c->kept)
		return;
	c->kept = idle != 0;
	buf_reset(&out);
	if (idle)
		journey_write(&out, c, slice_of(NULL, 0), 0);
	/* Where that fails, it does not go on. */
	(void)kennel_checkpoint(c->socket, out.data, out.failed ? 0 : out.len);
}

/* What the record says, and the program's bytes behind it: 0, or -1. */
static int
journey_read(struct record *r, struct slice *kept, const char *data, size_t len)
{
	struct pack_in	 in;

	memset(r, 0, sizeof(*r));
	if (pack_open_head(&in, data, len, kept) == -1 ||
	    pack_in_u64(&in, UINT32_MAX) != JOURNEY_CLIENT)
		return (-1);
	pack_in_row(&in, row, fields, r);
	return (in.bad || r->id.len != APE_ID || r->session.len != APE_ID ||
	    r->version > registry_hooks()->moves ? -1 : 0);
}

struct ape_client *
journey_unpack(struct kennel_socket *s, const char *data, size_t len, int how)
{
	const struct ape_hooks	*h = registry_hooks();
	char			 id[APE_ID + 1] = "", session[APE_ID + 1] = "";
	struct room		*room = room_of(kennel_socket_replica(s));
	struct ape_client	*c;
	struct record		 r;
	struct slice		 kept;

	if (room == NULL || journey_is_tied() ||
	    journey_read(&r, &kept, data, len) == -1)
		return (NULL);
	memcpy(id, r.id.data, APE_ID);
	memcpy(session, r.session.data, APE_ID);
	if ((c = room_add(room, s, session, id)) == NULL)
		return (NULL);
	c->stream = kennel_socket_kind(s) == KENNEL_STREAM;
	if (((r.flags & JOURNEY_F_COOKIE) &&
	    (c->session_id = slice_dup(r.cookie)) == NULL) ||
	    recent_load(&c->recent, r.calls) == -1 ||
	    (h->thaw != NULL && h->thaw(c, kept.data == NULL ? "" : kept.data,
	    r.flags & JOURNEY_F_KEPT ? kept.len : 0, how) == -1)) {
		room_remove(c);
		return (NULL);
	}
	c->kept = 1;			/* it goes along */
	return (c);
}
