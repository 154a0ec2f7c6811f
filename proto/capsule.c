/* A connection packed for a journey. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proto/capsule.h"
#include "proto/pack.h"

#define CAPSULE_LABEL_MAX	256		/* route, peer, via */
#define CAPSULE_NAME_MAX	256		/* of a header */
#define CAPSULE_HEADER_MAX	(64 << 10)	/* value of a header */
#define CAPSULE_WINDOW_MIN	8		/* bits, of deflate */
#define CAPSULE_SEALS	(F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE)

#define U32(m, max)	{ PACK_U32, offsetof(struct capsule, m), max }
#define U64(m)		{ PACK_U64, offsetof(struct capsule, m), UINT64_MAX }
#define STR(m, max)	{ PACK_SLICE, offsetof(struct capsule, m), max }

/*
 * The record: version, the lowest version whose reader understands it, protocol,
 * these, an array of header names and values, an array of origins and sequence
 * numbers.  What a later version adds comes behind.
 */
static const struct pack_field fields[] = {
	U64(id), U64(replica), U32(flags, UINT32_MAX),
	STR(group, GROUP_MAX), STR(uid, UID_MAX), STR(app, APP_MAX),
	STR(route, CAPSULE_LABEL_MAX), STR(peer, CAPSULE_LABEL_MAX),
	STR(via, CAPSULE_LABEL_MAX), STR(early, CAPSULE_MAX),
	STR(owed, CAPSULE_MAX), STR(state, CAPSULE_MAX), STR(blob, CAPSULE_MAX),
};

/* Behind the marks, since version 2. */
static const struct pack_field later[] = {
	U64(news_pos), U64(news_era), U32(bits, UINT32_MAX), U32(deflate, 15),
	U32(hops, UINT32_MAX), U32(pings, UINT8_MAX), U32(since, UINT32_MAX),
	U32(last, UINT32_MAX), U64(paused), U64(messages.tokens),
	U64(messages.at), U64(bytes.tokens), U64(bytes.at),
	STR(topics, CAPSULE_MAX), U32(blob_version, UINT32_MAX),
};

/* Behind those, since version 3. */
static const struct pack_field latest[] = {
	U32(strikes, UINT8_MAX), STR(kept, CAPSULE_KEPT_MAX),
};

static unsigned	 capsule_version = CAPSULE_VERSION;

void
capsule_speak(unsigned version)
{
	capsule_version = version;
}

unsigned
capsule_spoken(void)
{
	return (capsule_version);
}

/* The oldest reader that loses nothing: the first knows requests only. */
static uint64_t
capsule_readable(const struct capsule *c)
{
	if (c->bits & CAPSULE_B_RESUMED)
		return (CAPSULE_RESUMES);
	return (c->protocol == CAPSULE_HTTP ? 1 : CAPSULE_MOVES);
}

int
capsule_encode(struct buf *b, const struct capsule *c)
{
	size_t	start = b->len;

	/* What capsule_decode would refuse is not written in the first place. */
	if (!capsule_fits(c)) {
		errno = EINVAL;
		return (-1);
	}
	pack_array(b, 3 + nitems(fields) + 2 + nitems(later) +
	    (capsule_version > 2 ? nitems(latest) : 0));
	pack_u64(b, capsule_version);
	pack_u64(b, capsule_readable(c));
	pack_u64(b, c->protocol);
	for (size_t i = 0; i < nitems(fields); i++)
		pack_field(b, &fields[i], c);
	pack_array(b, c->nheaders * 2);
	for (size_t i = 0; i < c->nheaders; i++) {
		pack_str(b, c->headers[i].name);
		pack_str(b, c->headers[i].value);
	}
	pack_array(b, c->nmarks * 2);
	for (size_t i = 0; i < c->nmarks; i++) {
		pack_u64(b, c->marks[i].origin);
		pack_u64(b, c->marks[i].seq);
	}
	for (size_t i = 0; i < nitems(later); i++)
		pack_field(b, &later[i], c);
	for (size_t i = 0; capsule_version > 2 && i < nitems(latest); i++)
		pack_field(b, &latest[i], c);
	if (b->failed) {
		errno = ENOMEM;
		return (-1);
	}
	if (b->len - start > CAPSULE_MAX) {
		b->len = start;
		errno = EINVAL;
		return (-1);
	}
	return (0);
}

int
capsule_decode(struct capsule *c, const void *data, size_t len)
{
	static struct capsule_mark	 marks[CAPSULE_ORIGINS_MAX];
	struct pack_in			 in, headers, seen;
	uint64_t			 version, readable;

	memset(c, 0, sizeof(*c));
	c->marks = marks;
	if (len > CAPSULE_MAX)
		goto bad;
	if (pack_open(&in, data, len) == -1)
		return (-1);
	version = pack_in_u64(&in, UINT64_MAX);
	readable = pack_in_u64(&in, version);
	if (in.bad || readable == 0)
		goto bad;
	if (readable > capsule_version) {
		errno = EPROTONOSUPPORT;
		return (-1);
	}
	c->protocol = (enum capsule_protocol)pack_in_u64(&in, CAPSULE_STREAM);
	if (c->protocol == 0)
		goto bad;
	for (size_t i = 0; i < nitems(fields); i++)
		pack_in_field(&in, &fields[i], c);

	headers = pack_in_array(&in);
	if (pack_in_left(&headers) > CAPSULE_HEADERS_MAX * 2)
		goto bad;
	while (pack_in_left(&headers) > 0) {
		c->headers[c->nheaders].name = pack_in_str(&headers,
		    CAPSULE_NAME_MAX);
		c->headers[c->nheaders].value = pack_in_str(&headers,
		    CAPSULE_HEADER_MAX);
		c->nheaders++;
	}
	seen = pack_in_array(&in);
	if (pack_in_left(&seen) > CAPSULE_ORIGINS_MAX * 2)
		goto bad;
	while (pack_in_left(&seen) > 0) {
		marks[c->nmarks].origin = pack_in_u64(&seen, UINT64_MAX);
		marks[c->nmarks].seq = pack_in_u64(&seen, UINT64_MAX);
		c->nmarks++;
	}
	for (size_t i = 0; version > 1 && i < nitems(later); i++)
		pack_in_field(&in, &later[i], c);
	for (size_t i = 0; version > 2 && capsule_version > 2 &&
	    i < nitems(latest); i++)
		pack_in_field(&in, &latest[i], c);
	if (in.bad || headers.bad || seen.bad ||
	    (c->deflate != 0 && c->deflate < CAPSULE_WINDOW_MIN))
		goto bad;
	return (0);
bad:
	errno = EPROTO;
	return (-1);
}

int
capsule_memfd(const void *data, size_t len)
{
	const char	*p = data;
	ssize_t		 n;
	int		 fd, save;

	if (len == 0 || len > CAPSULE_MAX) {
		errno = EINVAL;
		return (-1);
	}
	if ((fd = memfd_create("capsule", MFD_CLOEXEC | MFD_ALLOW_SEALING)) ==
	    -1)
		return (-1);
	while (len > 0) {
		if ((n = write(fd, p, len)) == -1) {
			if (errno == EINTR)
				continue;
			goto fail;
		}
		p += n;
		len -= (size_t)n;
	}
	if (fcntl(fd, F_ADD_SEALS, CAPSULE_SEALS | F_SEAL_SEAL) == -1)
		goto fail;
	return (fd);
fail:
	save = errno;
	close(fd);
	errno = save;
	return (-1);
}

void *
capsule_map(int memfd, size_t *len)
{
	struct stat	 st;
	char		*data = NULL;
	size_t		 at, size;
	ssize_t		 n;
	int		 seals, save;

	/* Unsealed, it could change while we read, or block us (a pipe). */
	if ((seals = fcntl(memfd, F_GET_SEALS)) == -1 ||
	    (seals & CAPSULE_SEALS) != CAPSULE_SEALS)
		goto bad;
	if (fstat(memfd, &st) == -1)
		return (NULL);
	if (st.st_size <= 0 || st.st_size > CAPSULE_MAX)
		goto bad;
	size = (size_t)st.st_size;
	if ((data = malloc(size)) == NULL)
		return (NULL);
	for (at = 0; at < size; at += (size_t)n) {
		n = pread(memfd, data + at, size - at, (off_t)at);
		if (n == -1 && errno == EINTR)
			n = 0;
		else if (n == -1)
			goto fail;
		else if (n == 0)
			goto bad;
	}
	*len = size;
	return (data);
bad:
	errno = EPROTO;
fail:
	save = errno;
	free(data);
	errno = save;
	return (NULL);
}

int
capsule_fits(const struct capsule *c)
{
	const struct pack_field	*f;

	if (c->deflate > 15 || (c->deflate != 0 &&
	    c->deflate < CAPSULE_WINDOW_MIN) || c->pings > UINT8_MAX ||
	    c->strikes > UINT8_MAX)
		return (0);
	if (c->protocol < CAPSULE_HTTP || c->protocol > CAPSULE_STREAM ||
	    c->nheaders > CAPSULE_HEADERS_MAX ||
	    c->nmarks > CAPSULE_ORIGINS_MAX)
		return (0);
	for (f = fields; f < fields + nitems(fields); f++)
		if (f->kind == PACK_SLICE && ((const struct slice *)
		    (const void *)((const char *)c + f->offset))->len > f->max)
			return (0);
	if (c->topics.len > CAPSULE_MAX || c->kept.len > CAPSULE_KEPT_MAX)
		return (0);
	for (size_t i = 0; i < c->nheaders; i++)
		if (c->headers[i].name.len > CAPSULE_NAME_MAX ||
		    c->headers[i].value.len > CAPSULE_HEADER_MAX)
			return (0);
	return (1);
}
