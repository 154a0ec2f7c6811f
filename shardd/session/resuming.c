/* A session goes on after the death of the process that had it. */
#include <errno.h>
#include <unistd.h>

#include "common/log.h"
#include "common/spare.h"
#include "common/turn.h"
#include "shardd/client/freeze.h"
#include "shardd/group/abreast.h"
#include "shardd/group/entrance.h"
#include "shardd/kennel.h"
#include "shardd/session/member.h"
#include "shardd/session/passage.h"
#include "shardd/session/resuming.h"
#include "shardd/session/sessions.h"

/* What one waits for, and what stands behind that: its proto meanwhile. */
struct resuming {
	struct entrance	 entrance;
	struct abreast_wait abreast;	/* behind the entrance */
	int		 asked;		/* it is waited for */
	struct conn	*conn;
	const struct protocol *protocol;	/* what it speaks */
	void		*proto;
	struct buf	 topics, blob;
};

static const struct protocol	 resuming_protocol;
static const struct entrance_ops resuming_ops;

static void	 resuming_abreast_cb(struct abreast_wait *);
static void	 resuming_behind_cb(struct abreast_wait *);

/* What c waits with is freed; it speaks its own protocol again. */
static void
resuming_clear(struct conn *c)
{
	struct resuming	*w = c->proto;

	c->protocol = w->protocol;
	c->proto = w->proto;
	entrance_end(&w->entrance);
	abreast_end(&w->abreast);
	buf_clear(&w->topics);
	buf_clear(&w->blob);
	spare_put(w, sizeof(*w));
}

const char *
resuming_hinders(const struct kennel_app *app, const struct capsule *cap)
{
	if (!applications_resume(app))
		return ("its application does not go on with connections");
	if (cap->protocol == CAPSULE_RAW && app->ondata == NULL)
		return ("its application serves no raw connections");
	if (cap->blob.len > 0 && cap->blob_version > app->moves)
		return ("its application cannot read its checkpoint here");
	return (NULL);
}

struct conn *
resuming_adopt(struct sessions *s, const struct capsule *cap,
    const struct kennel_app *app, struct replica *r, int fd)
{
	struct resuming	*w;
	struct conn	*c;

	if ((w = spare_zero(sizeof(*w))) == NULL)
		return (NULL);
	if (buf_add(&w->topics, cap->topics.data, cap->topics.len) == -1 ||
	    buf_add(&w->blob, cap->blob.data, cap->blob.len) == -1 ||
	    (c = passage_make(s, cap, app, r, fd)) == NULL) {
		buf_clear(&w->topics);
		buf_clear(&w->blob);
		spare_put(w, sizeof(*w));
		return (NULL);
	}
	/* Whoever has it next knows as much of it as we do. */
	member_cover(c, cap->topics);
	cover_checkpoint(c->slot, cap->blob, cap->blob_version);
	entrance_init(&w->entrance, r, &resuming_ops);
	list_init(&w->abreast.at);
	w->abreast.done = resuming_abreast_cb;
	w->abreast.gone = resuming_behind_cb;
	w->conn = c;
	w->protocol = c->protocol;
	w->proto = c->proto;
	c->protocol = &resuming_protocol;
	c->proto = w;
	return (c);
}

void
resuming_drop(struct conn *c)
{
	resuming_clear(c);
	freeze_leave(c);
	conn_free(c);
}

/* ---- it goes on ---- */

/* Its application knows it again, and says what it has to say.  Returns whether it
 * does. */
static int
resuming_tell(struct conn *c, const struct buf *topics, const struct buf *blob)
{
	const struct kennel_app	*app = c->app;
	const char		*data = blob->len == 0 ? "" : blob->data;

	if (app->thaw != NULL && app->thaw(conn_socket(c), data, blob->len,
	    KENNEL_RESUMED) == -1)
		return (0);
	c->flags |= CONN_F_OPENED;
	conn_counts(c)[COUNTER_APP_RESUMED]++;
	if (c->replica != NULL)
		passage_topics(c, slice_of(topics->data, topics->len));
	if (app->onresume != NULL)
		app->onresume(conn_socket(c), data, blob->len);
	return (1);
}

/* Nothing is missing: c is open again. */
static void
resuming_open(struct conn *c, const struct buf *topics, const struct buf *blob)
{
	conn_set_state(c, CONN_OPEN);
	if (!resuming_tell(c, topics, blob)) {
		log_debug("conn id=%llx is not wanted by its application "
		    "again", (unsigned long long)c->id);
		conn_close(c, CLOSE_LOST, close_code(CLOSE_LOST),
		    close_sentence(CLOSE_LOST));
		return;
	}
	if (c->flags & (CONN_F_DOOMED | CONN_F_GONE))
		return;
	if (c->verbs != NULL)
		c->flags |= CONN_F_JOINING;
	else
		member_join(c);
	conn_arm(c);
}

/* ---- what is waited for ---- */

/* Nothing is missing. */
static void
resuming_go_on(struct resuming *w)
{
	struct conn	*c = w->conn;
	struct buf	 topics = w->topics, blob = w->blob;

	if (c->flags & CONN_F_DOOMED)
		return;
	w->topics = w->blob = (struct buf){ 0 };
	resuming_clear(c);
	resuming_open(c, &topics, &blob);
	buf_clear(&topics);
	buf_clear(&blob);
}

/* It may go in, once its replica has heard what its client had heard, so that it hears
 * nothing twice. */
static void
resuming_nearer(struct entrance *e)
{
	struct resuming	*w = container_of(e, struct resuming, entrance);

	if (e->listed)
		w->conn->flags |= CONN_F_LISTED;
	if ((w->conn->flags & CONN_F_DOOMED) || !entrance_is_open(e) ||
	    w->asked)
		return;
	w->asked = 1;
	if (e->replica == NULL)
		resuming_go_on(w);
	else
		abreast_begin(e->replica, &w->abreast);
}

/* Its replica has. */
static void
resuming_abreast_cb(struct abreast_wait *a)
{
	resuming_go_on(container_of(a, struct resuming, abreast));
}

/* It was dismissed before that. */
static void
resuming_behind_cb(struct abreast_wait *a)
{
	conn_doom(container_of(a, struct resuming, abreast)->conn,
	    CLOSE_GROUP_GONE);
}

/* The replica was dismissed. */
static void
resuming_gone(struct entrance *e)
{
	conn_doom(container_of(e, struct resuming, entrance)->conn,
	    CLOSE_GROUP_GONE);
}

static const struct entrance_ops resuming_ops = {
	resuming_nearer, resuming_gone
};

void
resuming_start(struct conn *c)
{
	struct resuming	*w = c->proto;

	c->flags |= CONN_F_BEGUN;
	conn_set_state(c, CONN_OPENING);
	c->last = (uint32_t)turn_ms();
	if (c->replica == NULL)
		resuming_nearer(&w->entrance);
	else if (entrance_begin(&w->entrance, sessions_of(c)->lookup,
	    conn_uid(c)) == -1)
		conn_doom(c, CLOSE_NO_MEMORY);
}

/* ---- the protocol of a connection that waits ---- */

/* Nothing is read of it. */
static enum close_why
resuming_input(struct conn *c, char *data, size_t len)
{
	(void)c, (void)data, (void)len;
	return (CLOSE_NONE);
}

/* Nothing was kept. */
static enum close_why
resuming_resume(struct conn *c)
{
	(void)c;
	return (CLOSE_NONE);
}

/* It ends before it goes on: the client is told in its own protocol. */
static int
resuming_farewell(struct conn *c, enum close_why why)
{
	resuming_clear(c);
	conn_set_state(c, CONN_OPEN);
	return (c->protocol->farewell(c, why));
}

/* What it waits for has not come in time. */
static void
resuming_timeout(struct conn *c)
{
	if (!resuming_farewell(c, CLOSE_NOT_READY))
		conn_doom(c, CLOSE_NOT_READY);
}

/* Free all that it has. */
static void
resuming_end(struct conn *c)
{
	resuming_clear(c);
	if (c->proto != NULL)
		c->protocol->clear(c);
}

static const struct protocol resuming_protocol = {
	.input = resuming_input,
	.resume = resuming_resume,
	.timeout = resuming_timeout,
	.farewell = resuming_farewell,
	.clear = resuming_end,
};
