/* A session moves to another process. */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "common/log.h"
#include "shardd/client/freeze.h"
#include "shardd/client/payload.h"
#include "shardd/client/policy.h"
#include "shardd/group/fan.h"
#include "shardd/group/replica.h"
#include "shardd/group/seen.h"
#include "shardd/group/shelf.h"
#include "shardd/group/topics.h"
#include "shardd/kennel.h"
#include "shardd/session/member.h"
#include "shardd/session/passage.h"
#include "shardd/session/sessions.h"

#define BLOB_MAX	(1 << 20)

/* What an application gives along. */
struct kennel_blob {
	struct buf	*bytes;
};

int
kennel_blob_add(struct kennel_blob *b, const void *data, size_t len)
{
	if (b == NULL || (data == NULL && len > 0)) {
		errno = EINVAL;
		return (-1);
	}
	if (len > BLOB_MAX - b->bytes->len) {
		errno = EMSGSIZE;
		return (-1);
	}
	return (buf_add(b->bytes, data, len));
}

/* ---- going ---- */

unsigned
passage_version(const struct conn *c)
{
	return (c->app->moves);
}

const char *
passage_hinders(const struct conn *c, int *never)
{
	if ((*never = c->app->moves == 0))
		return ("its application does not move connections");
	if (c->replica != NULL && c->replica->neighbours == NULL) {
		*never = 1;
		return ("its group ends here");
	}
	if (c->replica != NULL &&
	    fan_whispers_to(c->replica->neighbours, conn_uid(c)))
		return ("a whisper to it is being looked up");
	return (freeze_hinders(c, never));
}

/* Where it is in its group, and what that has said to it.  0, or -1 with errno. */
static int
passage_pack_group(const struct conn *c, struct frozen *f)
{
	static struct capsule_mark	 marks[CAPSULE_ORIGINS_MAX];
	const struct replica		*r = c->replica;
	int				 n;

	buf_reset(&f->topics);
	f->cap.app = slice_str(r != NULL ? r->app_name :
	    c->app->name == NULL ? "main" : c->app->name);
	if (r == NULL)
		return (0);
	f->cap.group = replica_group(r);
	if ((n = seen_marks(r, marks, nitems(marks))) == -1)
		return (-1);
	f->cap.marks = marks;
	f->cap.nmarks = (size_t)n;
	seen_news(r, &f->cap.news_pos, &f->cap.news_era);
	topics_of(c, &f->topics);
	f->cap.topics = slice_of(f->topics.data, f->topics.len);
	errno = ENOMEM;
	return (f->topics.failed ? -1 : 0);
}

int
passage_pack(struct conn *c, uint64_t to, uint64_t paused, struct buf *b)
{
	static struct frozen	 f;
	struct kennel_blob	 blob = { &f.blob };
	int			 keep;

	buf_reset(&f.blob);
	errno = EAGAIN;
	if (c->app->freeze != NULL && c->app->freeze(conn_socket(c), &blob) ==
	    -1)
		return (-1);
	errno = ENOMEM;
	if (f.blob.failed || freeze_pack(c, &f) == -1)
		return (-1);
	f.cap.blob = slice_of(f.blob.data, f.blob.len);
	f.cap.blob_version = c->app->moves;
	f.cap.kept = cover_kept(c->slot);
	f.cap.replica = to;
	f.cap.paused = paused;
	if (passage_pack_group(c, &f) == 0 && capsule_encode(b, &f.cap) == 0)
		return (0);
	keep = errno;
	freeze_undo(c);
	errno = keep;
	return (-1);
}

void
passage_back(struct conn *c)
{
	freeze_undo(c);
}

void
passage_leave(struct conn *c)
{
	member_leave(c, NULL);
	freeze_leave(c);
}

void
passage_end(struct conn *c)
{
	if (c->app->onmoved != NULL)
		c->app->onmoved(conn_socket(c), KENNEL_MOVED);
	conn_free(c);
}

/* ---- coming ---- */

struct conn *
passage_make(struct sessions *s, const struct capsule *cap,
    const struct kennel_app *app, struct replica *r, int fd)
{
	struct meter	*m = meter_new(cap->protocol == CAPSULE_RAW ?
			    &s->listeners : &s->policies, cap->route);
	size_t		 n = (size_t)(app - s->apps.at);
	size_t		 max = meter_message_max(m);
	struct conn	*c;

	c = freeze_unpack(&s->clients, cap, m, max != 0 ? max :
	    applications_message_max(&s->apps, app), fd);
	if (c == NULL)
		return (NULL);
	c->app = app;
	c->app_n = (uint8_t)(n < COUNTERS_APPS ? n : COUNTERS_APPS - 1);
	if ((c->replica = r) != NULL)
		replica_ref(r);
	return (c);
}

struct conn *
passage_unpack(struct sessions *s, const struct capsule *cap,
    const struct kennel_app *app, struct replica *r, int fd)
{
	struct conn	*c = passage_make(s, cap, app, r, fd);

	if (c == NULL)
		return (NULL);
	/* Its application may have another checkpoint to make. */
	conn_half(c, COVER_B_GOING, 1);
	member_cover(c, cap->topics);
	cover_checkpoint(c->slot, cap->kept, cap->blob_version);
	errno = EPROTONOSUPPORT;
	if (app->thaw == NULL || app->thaw(conn_socket(c), cap->blob.data ==
	    NULL ? "" : cap->blob.data, cap->blob.len, KENNEL_MOVED) == 0)
		return (c);
	conn_discard(c);
	return (NULL);
}

void
passage_topics(struct conn *c, struct slice topics)
{
	const char	*end = topics.data + topics.len, *stop;
	uint32_t	 slot = c->slot;

	c->slot = 0;			/* there they stand already */
	for (const char *name = topics.data; name < end; name = stop + 1) {
		if ((stop = memchr(name, '\0', (size_t)(end - name))) == NULL)
			break;
		if (topics_join(c, name) == -1 && errno == ENOMEM)
			conn_doom(c, CLOSE_NO_MEMORY);
	}
	c->slot = slot;
}

/* The application was told that while it travelled. */
static void
passage_told(struct conn *c, const struct shelf_said *said)
{
	const struct slice		 data = payload_data(said->p);
	const struct kennel_word	 word = {
		said->uid.data, said->uid.len, data.data, data.len
	};

	if ((c->flags & CONN_F_DOOMED) == 0)
		c->app->ontold(conn_socket(c), said->origin, &word);
}

/* One thing that was said while it travelled. */
static void
passage_missed_cb(const struct shelf_said *said, void *arg)
{
	struct conn	*c = arg;
	int		 is = slice_eq(said->uid, conn_uid(c));

	if (said->type == GOSSIP_TELL) {
		passage_told(c, said);
		return;
	}
	if (said->type == GOSSIP_WHISPER ? !is : said->but && is)
		return;
	if (said->type == GOSSIP_PUBLISH && !topics_has_any(c, said->topics))
		return;
	conn_send(c, said->p);
}

void
passage_begin(struct conn *c, const struct capsule *cap,
    const struct shelf_user *u)
{
	c->flags |= CONN_F_OPENED;
	if (c->replica != NULL)
		c->flags |= CONN_F_LISTED;
	freeze_begin(c);
	if (c->replica != NULL)
		passage_topics(c, cap->topics);
	conn_half(c, COVER_B_GOING, 0);
	if (u != NULL)
		shelf_each(c->replica->shelf, u, cap->marks, cap->nmarks,
		    cap->news_pos, passage_missed_cb, c);
	if (c->replica != NULL)
		member_join(c);
}

void
passage_drop(struct conn *c)
{
	if (c->app->onmoved != NULL)
		c->app->onmoved(conn_socket(c), KENNEL_STAYED);
	freeze_leave(c);
	conn_free(c);
}
