/* Whom an answer of Sentinels concerns. */
#include <sys/socket.h>

#include <netinet/in.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <check.h>
#include <event2/event.h>
#include <event2/listener.h>

#include "common/redis_doubt.h"
#include "common/redis_url.h"
#include "common/redis_where.h"
#include "tests/unit/loop.h"

#define PATIENCE_MS	15000
#define QUESTIONS	3		/* epoch, address, quorum */
#define ASKERS_MAX	16

/* A Sentinel: whoever asks hears these, one after the other. */
static const char *const answers[QUESTIONS] = {
	"*2\r\n$12\r\nconfig-epoch\r\n$1\r\n1\r\n",
	"*2\r\n$9\r\n127.0.0.1\r\n$4\r\n6399\r\n",
	"+OK 1 usable Sentinels.\r\n",
};
static struct asker {
	int		 fd, asked;
	struct event	*ev;
} askers[ASKERS_MAX];
static size_t		 naskers;

/* A connection to Redis, of one cluster. */
struct side {
	struct redis_url url;
	struct redis_where *where;
	struct redis_doubt doubt;
	int		 left;		/* it was told to go elsewhere */
};

static void
asked_cb(evutil_socket_t fd, short what, void *arg)
{
	struct asker	*a = arg;
	char		 question[512];

	(void)what;
	if (read(fd, question, sizeof(question)) <= 0 ||
	    a->asked == QUESTIONS) {
		event_del(a->ev);
		return;
	}
	ck_assert_int_gt(write(fd, answers[a->asked],
	    strlen(answers[a->asked])), 0);
	a->asked++;
}

static void
accepted_cb(struct evconnlistener *l, evutil_socket_t fd,
    struct sockaddr *from, int len, void *arg)
{
	struct asker	*a = &askers[naskers++];

	(void)l, (void)from, (void)len, (void)arg;
	ck_assert_uint_le(naskers, ASKERS_MAX);
	a->fd = fd;
	a->ev = event_new(base, fd, EV_READ | EV_PERSIST, asked_cb, a);
	event_add(a->ev, NULL);
}

/* One that listens; *port is where. */
static struct evconnlistener *
sentinel(int *port)
{
	struct sockaddr_in	 sin = { .sin_family = AF_INET,
				    .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t		 len = sizeof(sin);
	struct evconnlistener	*l;

	l = evconnlistener_new_bind(base, accepted_cb, NULL,
	    LEV_OPT_CLOSE_ON_FREE, 8, (struct sockaddr *)&sin, sizeof(sin));
	ck_assert_ptr_nonnull(l);
	ck_assert_int_eq(getsockname(evconnlistener_get_fd(l),
	    (struct sockaddr *)&sin, &len), 0);
	*port = ntohs(sin.sin_port);
	return (l);
}

static void
found_cb(const char *why, void *arg)
{
	(void)why, (void)arg;
}

static void
left_cb(void *arg)
{
	((struct side *)arg)->left = 1;
}

static void
side_begin(struct side *s, int port)
{
	char	 text[64];

	memset(s, 0, sizeof(*s));
	snprintf(text, sizeof(text), "sentinel://127.0.0.1:%d/main", port);
	ck_assert_ptr_null(redis_url_parse(&s->url, text));
	s->where = redis_where_new(base, &s->url, found_cb, s);
	ck_assert_ptr_nonnull(s->where);
	ck_assert_int_eq(redis_doubt_init(&s->doubt, base, &s->url, s->where,
	    left_cb, s), 0);
}

static void
side_end(struct side *s)
{
	redis_doubt_clear(&s->doubt);
	redis_where_free(s->where);
	redis_url_clear(&s->url);
}

START_TEST(a_master_of_that_name_in_another_cluster_is_not_left)
{
	struct evconnlistener	*ours, *others;
	struct side		 asks, shares, other;
	int			 port, other_port;

	base = event_base_new();
	ours = sentinel(&port);
	others = sentinel(&other_port);
	side_begin(&asks, port);
	side_begin(&shares, port);
	side_begin(&other, other_port);
	redis_doubt_raise(&asks.doubt);
	until(asks.left && shares.left, PATIENCE_MS);
	turn();
	ck_assert(!other.left);
	side_end(&asks);
	side_end(&shares);
	side_end(&other);
	evconnlistener_free(ours);
	evconnlistener_free(others);
	for (size_t i = 0; i < naskers; i++) {
		event_free(askers[i].ev);
		close(askers[i].fd);
	}
	event_base_free(base);
}
END_TEST

int
main(void)
{
	Suite	*s = suite_create("redis_doubt");
	TCase	*t = tcase_create("redis_doubt");
	SRunner	*r = srunner_create(s);
	int	 failed;

	tcase_add_test(t, a_master_of_that_name_in_another_cluster_is_not_left);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return (failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE);
}
