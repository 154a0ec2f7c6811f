/*
 * Files of the pages directory, kept in memory while they are unchanged, as they are
 * and compressed.
 * These files are few and small, and only names without '/' and leading '.' are
 * looked for: nothing from outside becomes a path.
 */
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <zlib.h>

#include "common/bytes.h"
#include "common/log.h"
#include "common/map.h"
#include "common/proc.h"
#include "proto/http_cond.h"
#include "shardd/client/request.h"
#include "shardd/kennel.h"

#define PAGES_FILE_MAX	(8 << 20)	/* bytes */
#define PAGES_MAX	256		/* files kept */
#define PAGES_GZIP_MIN	256		/* bytes that are worth it */
#define PAGES_GZIP_MAX	(1 << 20)
#define PAGES_WINDOW	(15 + 16)	/* zlib's: gzip, 32 KiB */

struct pages_file {
	struct map_node	 by_name;
	struct timespec	 changed;
	off_t		 size;
	char		*data;
	char		*gzip;		/* the same compressed, or NULL */
	size_t		 gzip_len;
	uint64_t	 hash;		/* of data */
	char		 name[];
};

static struct map	 pages;

static const struct {
	const char	*ending, *type, *cache;
	int		 text;		/* it gets shorter */
} pages_types[] = {
	{ ".html", "text/html;charset=utf-8", "no-cache", 1 },
	{ ".css", "text/css;charset=utf-8", "no-cache", 1 },
	{ ".js", "text/javascript;charset=utf-8", "no-cache", 1 },
	{ ".json", "application/json", "no-cache", 1 },
	{ ".txt", "text/plain;charset=utf-8", "no-cache", 1 },
	{ ".svg", "image/svg+xml", "max-age=86400", 1 },
	{ ".png", "image/png", "max-age=86400", 0 },
	{ ".ico", "image/x-icon", "max-age=86400", 0 },
	{ "", "application/octet-stream", "no-cache", 0 },
};

/* The directory: configured, installed, or in the build tree. */
static const char *
pages_dir(void)
{
	static char	 dir[PATH_MAX];
	char		 exe[PATH_MAX - 64];
	const char	*set = kennel_option("pages");

	if (set != NULL && *set != '\0')
		return (set);
	if (dir[0] != '\0')
		return (dir);
	if (proc_exe_dir(exe, sizeof(exe)) == -1)
		return (".");
	snprintf(dir, sizeof(dir), "%s/pages", exe);
	if (access(dir, R_OK) == -1)
		snprintf(dir, sizeof(dir), "%s/../share/kennel/pages", exe);
	return (dir);
}

/* What the ending of a name stands for: a row of pages_types. */
static size_t
pages_kind(const char *name)
{
	const char	*dot = strrchr(name, '.');
	size_t		 i = 0;

	while (i < nitems(pages_types) - 1 &&
	    (dot == NULL || strcmp(pages_types[i].ending, dot) != 0))
		i++;
	return (i);
}

/* Compress p, which has just been read, if that is worth it. */
static void
pages_compress(struct pages_file *p)
{
	z_stream	 z = { 0 };
	size_t		 room = (size_t)p->size;

	free(p->gzip);
	p->gzip = NULL;
	if (!pages_types[pages_kind(p->name)].text ||
	    room < PAGES_GZIP_MIN || room > PAGES_GZIP_MAX ||
	    deflateInit2(&z, Z_BEST_COMPRESSION, Z_DEFLATED, PAGES_WINDOW, 8,
	    Z_DEFAULT_STRATEGY) != Z_OK)
		return;
	if ((p->gzip = malloc(room)) != NULL) {
		z.next_in = (Bytef *)p->data;
		z.avail_in = (uInt)room;
		z.next_out = (Bytef *)p->gzip;
		z.avail_out = (uInt)room;	/* longer is not better */
		if (deflate(&z, Z_FINISH) != Z_STREAM_END) {
			free(p->gzip);
			p->gzip = NULL;
		}
		p->gzip_len = z.total_out;
	}
	deflateEnd(&z);
}

/* FNV-1a. */
static uint64_t
pages_hash(const char *data, size_t len)
{
	uint64_t	 h = UINT64_C(14695981039346656037);

	for (size_t i = 0; i < len; i++)
		h = (h ^ (unsigned char)data[i]) * UINT64_C(1099511628211);
	return (h);
}

/* Read the file, whose state is st, into p.  0 or -1. */
static int
pages_read(struct pages_file *p, int fd, const struct stat *st)
{
	char	*data;
	ssize_t	 n;
	off_t	 at = 0;

	if ((data = malloc((size_t)st->st_size + 1)) == NULL)
		return (-1);
	while (at < st->st_size &&
	    (n = read(fd, data + at, (size_t)(st->st_size - at))) > 0)
		at += n;
	free(p->data);
	p->data = data;
	p->size = at;
	p->changed = st->st_mtim;
	p->hash = pages_hash(data, (size_t)at);
	pages_compress(p);
	return (0);
}

/* Remember a file of that name, not read yet.  NULL: too many, or no memory. */
static struct pages_file *
pages_file_new(const char *name)
{
	struct pages_file	*p;

	if (pages.count >= PAGES_MAX ||
	    (p = calloc(1, sizeof(*p) + strlen(name) + 1)) == NULL)
		return (NULL);
	strcpy(p->name, name);
	if (map_insert(&pages, &p->by_name, p->name, strlen(p->name)) == -1) {
		free(p);
		return (NULL);
	}
	return (p);
}

/* The file of that name as it is now, or NULL. */
static struct pages_file *
pages_get(const char *name)
{
	char		 path[PATH_MAX];
	struct map_node	*n;
	struct pages_file	*p = NULL;
	struct stat	 st;
	int		 fd;

	if (*name == '\0' || *name == '.' || strchr(name, '/') != NULL ||
	    strlen(name) > 64)
		return (NULL);
	if (snprintf(path, sizeof(path), "%s/%s", pages_dir(), name) >=
	    (int)sizeof(path))
		return (NULL);
	if ((fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW |
	    O_NONBLOCK)) == -1)
		return (NULL);
	if (fstat(fd, &st) == -1 || !S_ISREG(st.st_mode) ||
	    st.st_size > PAGES_FILE_MAX)
		goto out;
	n = map_find(&pages, name, strlen(name));
	p = n != NULL ? container_of(n, struct pages_file, by_name) :
	    pages_file_new(name);
	if (p != NULL && (p->data == NULL || p->size != st.st_size ||
	    p->changed.tv_sec != st.st_mtim.tv_sec ||
	    p->changed.tv_nsec != st.st_mtim.tv_nsec) &&
	    pages_read(p, fd, &st) == -1)
		p = NULL;
out:
	close(fd);
	return (p);
}

void
kennel_respond_page(struct kennel_request *q, const char *name)
{
	struct pages_file	*p = name == NULL ? NULL : pages_get(name);
	char			 tag[32];
	size_t			 kind;
	int			 gzip;

	if (p == NULL) {
		kennel_respond(q, 404, NULL, NULL, 0);
		return;
	}
	kind = pages_kind(name);
	gzip = p->gzip != NULL && q != NULL && http_takes_gzip(&q->h);
	/* Another tag for other bytes; the same in all shards. */
	snprintf(tag, sizeof(tag), "\"%016" PRIx64 "%s\"", p->hash,
	    gzip ? "-gzip" : "");
	kennel_header(q, "ETag", tag);
	kennel_header(q, "Cache-Control", pages_types[kind].cache);
	if (p->gzip != NULL)
		kennel_header(q, "Vary", "Accept-Encoding");
	if (gzip)
		kennel_header(q, "Content-Encoding", "gzip");
	kennel_header(q, "X-Content-Type-Options", "nosniff");
	kennel_header(q, "Content-Security-Policy", "default-src 'self'; "
	    "connect-src 'self' ws: wss:; img-src 'self' data:; "
	    "base-uri 'none'; form-action 'self'");
	kennel_respond(q, 200, request_says(q, "Content-Type") ? NULL :
	    pages_types[kind].type, gzip ? p->gzip : p->data,
	    gzip ? p->gzip_len : (size_t)p->size);
}
