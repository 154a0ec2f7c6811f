/* Files by HTTP: GET of a name, PUT of a body. */
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/bytes.h"
#include "shardd/ape/asker.h"
#include "shardd/ape/bounds.h"
#include "shardd/ape/data.h"
#include "shardd/ape/fetch.h"
#include "shardd/ape/origin.h"
#include "shardd/ape/quota.h"
#include "shardd/ape/refuse.h"
#include "shardd/ape/share.h"
#include "shardd/ape/signpost.h"
#include "shardd/ape/upload.h"

#define DATA_KEEP_MS	60000		/* a shared file that is whole */

/* A body that comes. */
struct put {
	struct kennel_request *q;	/* NULL: its client has gone */
	int		 fd;
	int		 asking;	/* shards, whether the file is shared */
	int		 whole;		/* it has come */
	struct share_head *head;	/* NULL: it is not shared */
	uint64_t	 size, quota;
	struct asker who;
	char		 first[UPLOAD_NAME_MAX + 1];
	char		 hash[SHARE_ID_MAX + 1];
};

static void	 put_end(struct put *p);

/* Does q come as files may?  Else it is answered: 0. */
static int
data_may(struct kennel_request *q)
{
	if (origin_is_local(kennel_request_header(q, "Host")) ||
	    kennel_request_secure(q) || asker_is_server(q))
		return (1);
	refuse(q, 403, "HTTPS required for file transfers");
	return (0);
}

/* Forget a body. */
static void
put_free(struct put *p)
{
	quota_give(asker_name(&p->who), p->quota);
	share_unmap(p->head);
	if (p->fd != -1)
		close(p->fd);
	free(p);
}

/* A body of q for rest, which is FIRST/HASH.  NULL: q is answered. */
static struct put *
put_new(struct kennel_request *q, const char *rest)
{
	const char	*slash = strchr(rest, '/');
	struct put	*p;

	if (slash == NULL || slash == rest || slash[1] == '\0' ||
	    slash - rest > UPLOAD_NAME_MAX || strlen(slash + 1) > SHARE_ID_MAX) {
		refuse(q, 404, "Upload not expected or unauthorized");
		return (NULL);
	}
	if ((p = calloc(1, sizeof(*p))) == NULL ||
	    (p->fd = memfd_create("ape", MFD_CLOEXEC)) == -1) {
		free(p);
		refuse(q, 503, "The server has no room for this file");
		return (NULL);
	}
	p->q = q;
	memcpy(p->first, rest, (size_t)(slash - rest));
	strcpy(p->hash, slash + 1);
	asker_of(&p->who, q);
	kennel_request_attach(q, p);
	return (p);
}

/* Answer, and forget the body. */
static void
put_refuse(struct put *p, int status, const char *text)
{
	struct kennel_request	*q = p->q;

	kennel_request_attach(q, NULL);
	if (p->head != NULL)
		__atomic_store_n(&p->head->state, SHARE_BROKEN,
		    __ATOMIC_RELEASE);
	put_free(p);
	refuse(q, status, text);
}

/* The file is shared, and this is it: what has come goes there.  0, or -1. */
static int
put_share(struct put *p, int fd)
{
	struct share_head	*h = share_map(fd);
	off_t			 from = 0;
	uint32_t		 empty = SHARE_EMPTY;

	if (h == NULL || !__atomic_compare_exchange_n(&h->state, &empty,
	    SHARE_COMES, 0, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE)) {
		share_unmap(h);
		close(fd);
		return (-1);
	}
	if (lseek(fd, SHARE_PAGE, SEEK_SET) == -1)
		goto broken;
	while ((uint64_t)from < p->size)
		if (sendfile(fd, p->fd, &from, p->size - (uint64_t)from) <= 0)
			goto broken;
	close(p->fd);
	p->fd = fd;
	p->head = h;
	__atomic_store_n(&h->total, p->size, __ATOMIC_RELEASE);
	return (0);
broken:
	__atomic_store_n(&h->state, SHARE_BROKEN, __ATOMIC_RELEASE);
	share_unmap(h);
	close(fd);
	return (-1);
}

/* It is known whether the file is shared. */
static void
put_asked_cb(int fd, void *arg)
{
	struct put	*p = arg;

	p->asking = 0;
	if (p->q == NULL) {
		if (fd != -1)
			close(fd);
		put_free(p);
		return;
	}
	if (fd != -1 && put_share(p, fd) == -1)
		put_refuse(p, 404, "Upload not expected or unauthorized");
	else if (p->head == NULL && asker_name(&p->who)[0] == '\0')
		put_refuse(p, 401, "Missing session identifier");
	else if (p->whole)
		put_end(p);
	else
		kennel_request_resume(p->q);
}

/* Ask all shards whether they share it. */
static void
put_ask(struct put *p)
{
	p->asking = 1;
	fetch_share(p->hash, put_asked_cb, p);
}

/* A body that has waited is a shared file by now. */
static void
put_again(struct kennel_request *q, const char *query, const char *hash,
    const struct asker *who, int fd)
{
	struct stat	 st;
	struct put	*p;

	if (fstat(fd, &st) == -1 || (p = calloc(1, sizeof(*p))) == NULL) {
		close(fd);
		refuse(q, 503, "out of memory");
		return;
	}
	p->q = q;
	p->fd = fd;
	p->size = (uint64_t)st.st_size;
	p->whole = 1;
	p->who = *who;
	strcpy(p->first, query);
	strcpy(p->hash, hash);
	put_ask(p);
}

/* Is a body that waits a shared file of another server? */
static void
put_elsewhere_cb(const char *server, const char *where, void *arg)
{
	(void)where;
	if (server != NULL)
		upload_elsewhere(arg, server);
	free(arg);
}

/* Is a body that waits now a shared file? */
static void
put_late_cb(int fd, void *arg)
{
	if (fd == -1) {
		signpost_find(arg, put_elsewhere_cb, arg);
		return;
	}
	close(fd);
	upload_announced(arg);
	free(arg);
}

/* The body is whole, and it is known what it is for. */
static void
put_end(struct put *p)
{
	static const char	 done[] = "{\"success\":true,\"streaming\":true}";
	struct kennel_request	*q = p->q;
	char			*id;
	int			 fd = p->fd;

	kennel_request_attach(q, NULL);
	if (p->head != NULL) {
		__atomic_store_n(&p->head->until, kennel_time() + DATA_KEEP_MS,
		    __ATOMIC_RELEASE);
		__atomic_store_n(&p->head->state, SHARE_WHOLE,
		    __ATOMIC_RELEASE);
		signpost_tell(p->hash);		/* it is kept longer */
		kennel_respond(q, 200, "application/json", done,
		    sizeof(done) - 1);
	} else {
		p->fd = -1;
		/* Shared after we asked?  Then nobody tells us. */
		if (upload_put(q, p->first, p->hash, &p->who, fd, put_again) &&
		    (id = strdup(p->hash)) != NULL)
			fetch_share(id, put_late_cb, id);
	}
	put_free(p);
}

void
data_head(struct kennel_request *q, const char *rest)
{
	struct put	*p;

	if (!data_may(q) || (p = put_new(q, rest)) == NULL)
		return;
	kennel_request_max(q, bounds_get(BOUND_FILE));
	kennel_request_stream(q);
	kennel_request_pause(q);
	put_ask(p);
}

void
data_body(struct kennel_request *q, const char *data, size_t len)
{
	struct put	*p = kennel_request_attached(q);
	size_t		 at = 0;
	ssize_t		 n;

	if (p == NULL)
		return;
	if (quota_take(asker_name(&p->who), len) == -1) {
		put_refuse(p, 413, "Too many bytes in files");
		return;
	}
	p->quota += len;
	while (at < len) {
		if ((n = write(p->fd, data + at, len - at)) <= 0) {
			put_refuse(p, 503, "The server has no room for this file");
			return;
		}
		at += (size_t)n;
	}
	p->size += len;
	if (p->head != NULL)
		__atomic_store_n(&p->head->total, p->size, __ATOMIC_RELEASE);
}

void
data_abort(struct kennel_request *q)
{
	struct put	*p = kennel_request_attached(q);

	if (p == NULL)
		return;
	kennel_request_attach(q, NULL);
	if (p->head != NULL)
		__atomic_store_n(&p->head->state, SHARE_BROKEN,
		    __ATOMIC_RELEASE);
	p->q = NULL;
	if (!p->asking)
		put_free(p);
}

void
data_receive(struct kennel_request *q, const char *rest)
{
	struct asker	 who;
	struct put		*p = kennel_request_attached(q);

	if (strcmp(kennel_request_method(q), "PUT") == 0) {
		if (p == NULL && (!data_may(q) || (p = put_new(q, rest)) ==
		    NULL))
			return;
		p->whole = 1;
		if (p->head != NULL)
			put_end(p);
		else
			put_ask(p);	/* it may be shared by now */
		return;
	}
	if (!data_may(q))
		return;
	asker_of(&who, q);
	if (strchr(rest, '/') != NULL)
		refuse(q, 404, "Download not found or unauthorized");
	else
		fetch_get(q, rest, &who);
}
