#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

#include <netinet/in.h>

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <event2/event.h>

#include "common/bytes.h"
#include "common/clock.h"
#include "common/redis.h"
#include "common/sock.h"
#include "tests/unit/redis_server.h"

static struct event_base *base;
static struct redis	*r;
static int		 ups, downs;

static void
setup(void)
{
	make_place();
	base = event_base_new();
}

static void
teardown(void)
{
	char	 command[64];

	redis_free(r);
	event_base_free(base);
	stop_server();
	snprintf(command, sizeof(command), "rm -rf %s", dir);
	ck_assert_int_eq(system(command), 0);
}

/* ---- waiting ---- */

static void
turn_for(unsigned ms)
{
	struct timeval	 tv = { ms / 1000, ms % 1000 * 1000 };

	event_base_loopexit(base, &tv);
	event_base_dispatch(base);
}

static void
state_cb(int up, void *arg)
{
	ck_assert_ptr_eq(arg, &ups);
	if (up)
		ups++;
	else
		downs++;
	if (r != NULL)
		ck_assert_int_eq(redis_up(r), up);
}

static void
connect_to(const char *to)
{
	r = redis_new(base, to, "test", state_cb, &ups);
	ck_assert_ptr_nonnull(r);
	ck_assert_int_eq(redis_up(r), 0);
	ck_assert_int_eq(ups, 0);
}

static void
connect_up_to(const char *to)
{
	connect_to(to);
	reach(base, &ups, 1);
	ck_assert_int_eq(redis_up(r), 1);
}

static void
connect_up(void)
{
	connect_up_to(url);
}

/* ---- answers ---- */

struct answer {
	int		 n, err;
	enum redis_kind	 kind;
	int64_t		 integer;
	size_t		 len;
	char		 str[64];
};

static void
answer_cb(const struct redis_value *v, int err, void *arg)
{
	struct answer	*a = arg;

	a->n++;
	a->err = err;
	if (v == NULL) {
		ck_assert_int_ne(err, 0);
		return;
	}
	ck_assert_int_eq(err, 0);
	a->kind = v->kind;
	a->integer = v->integer;
	a->len = v->len;
	if (v->str != NULL)
		snprintf(a->str, sizeof(a->str), "%s", v->str);
}

static int	 answered, failed, timed_out, lost, cancelled;

static void
count_cb(const struct redis_value *v, int err, void *arg)
{
	(void)arg;
	answered += v != NULL;
	failed += v != NULL && v->kind == REDIS_ERROR;
	timed_out += err == ETIMEDOUT;
	lost += err == ENOTCONN;
	cancelled += err == ECANCELED;
}

/* Ask and wait. */
#define ASK(a, ...) do {						\
	memset(&(a), 0, sizeof(a));					\
	ck_assert_int_eq(redis_do(r, 2000, answer_cb, &(a),		\
	    __VA_ARGS__, NULL), 0);					\
	ck_assert_int_eq((a).n, 0);					\
	reach(base, &(a).n, 1);						\
} while (0)

START_TEST(every_kind_of_value_arrives)
{
	struct answer	 a;

	start_server(NULL, NULL);
	connect_up();
	ASK(a, "SET", "k", "value");
	ck_assert(a.err == 0 && a.kind == REDIS_STATUS);
	ck_assert_str_eq(a.str, "OK");
	ASK(a, "GET", "k");
	ck_assert(a.kind == REDIS_STRING && a.len == 5);
	ck_assert_str_eq(a.str, "value");
	ASK(a, "GET", "nothing");
	ck_assert_int_eq(a.kind, REDIS_NIL);
	ASK(a, "DECRBY", "n", "7");
	ck_assert(a.kind == REDIS_INTEGER && a.integer == -7);
	ASK(a, "INCR", "k");
	ck_assert_int_eq(a.kind, REDIS_ERROR);
	ck_assert_ptr_nonnull(strstr(a.str, "not an integer"));
	ASK(a, "MGET", "k", "n");
	ck_assert_int_eq(a.kind, REDIS_ARRAY);
}
END_TEST

static void
nested_cb(const struct redis_value *v, int err, void *arg)
{
	struct redis_value	 inner;

	ck_assert_int_eq(err, 0);
	ck_assert(v->kind == REDIS_ARRAY && v->n == 3);
	inner = redis_at(v, 1);
	ck_assert(redis_at(v, 0).kind == REDIS_INTEGER);
	ck_assert(inner.kind == REDIS_ARRAY && inner.n == 2);
	ck_assert_str_eq(redis_at(&inner, 0).str, "a");
	ck_assert_mem_eq(redis_at(&inner, 1).str, "b\0c", 3);
	ck_assert_uint_eq(redis_at(&inner, 1).len, 3);
	ck_assert(redis_at(v, 2).kind == REDIS_NIL);
	++*(int *)arg;
}

START_TEST(arrays_nest_and_arguments_are_binary_safe)
{
	static const char *const	 argv[] = { "EVAL",
	    "return { 1, { 'a', ARGV[1] }, false }", "0", "b\0c" };
	static const size_t		 lens[] = { 4, 37, 1, 3 };
	int				 n = 0;

	start_server(NULL, NULL);
	connect_up();
	ck_assert_int_eq(redis_command(r, 2000, nested_cb, &n, 4, argv, lens),
	    0);
	reach(base, &n, 1);
}
END_TEST

START_TEST(large_values_go_and_come_in_order_with_others)
{
	static char	 big[4 << 20];
	struct answer	 set, get, ping;

	memset(big, 'x', sizeof(big) - 1);
	memset(&set, 0, sizeof(set));
	get = ping = set;
	start_server(NULL, NULL);
	connect_up();
	redis_do(r, 5000, answer_cb, &set, "SET", "k", big, NULL);
	redis_do(r, 5000, NULL, NULL, "INCR", "n", NULL);
	redis_do(r, 5000, answer_cb, &get, "GET", "k", NULL);
	redis_do(r, 5000, answer_cb, &ping, "INCR", "n", NULL);
	reach(base, &get.n, 1);
	ck_assert_str_eq(set.str, "OK");
	ck_assert_uint_eq(get.len, sizeof(big) - 1);
	reach(base, &ping.n, 1);
	ck_assert_int_eq(ping.integer, 2);
}
END_TEST

START_TEST(before_it_is_up_commands_are_enotconn)
{
	connect_to(url);
	ck_assert_int_eq(redis_do(r, 100, count_cb, NULL, "PING", NULL), -1);
	ck_assert_int_eq(errno, ENOTCONN);
	turn_for(200);
	ck_assert_int_eq(redis_do(r, 100, count_cb, NULL, "PING", NULL), -1);
	ck_assert_int_eq(ups + downs + lost, 0);
	/* A server that comes later is found. */
	start_server(NULL, NULL);
	reach(base, &ups, 1);
	ck_assert_int_eq(downs, 0);
}
END_TEST

START_TEST(each_command_has_its_own_deadline)
{
	struct answer	 pause, quick, slow;
	uint64_t	 before;

	memset(&quick, 0, sizeof(quick));
	slow = quick;
	start_server(NULL, NULL);
	connect_up();
	ASK(pause, "CLIENT", "PAUSE", "1000", "ALL");
	before = clock_ms();
	/* The later one has the shorter deadline. */
	redis_do(r, 3000, answer_cb, &slow, "ECHO", "slow", NULL);
	redis_do(r, 100, answer_cb, &quick, "ECHO", "quick", NULL);
	reach(base, &quick.n, 1);
	ck_assert_int_eq(quick.err, ETIMEDOUT);
	ck_assert_uint_ge(clock_ms() - before, 100);
	ck_assert_int_eq(slow.n, 0);
	reach(base, &slow.n, 1);
	ck_assert_str_eq(slow.str, "slow");
	ck_assert_int_eq(redis_up(r), 1);
}
END_TEST

START_TEST(a_late_reply_is_discarded_and_never_taken_for_another)
{
	struct answer	 a, late;

	memset(&late, 0, sizeof(late));
	start_server(NULL, NULL);
	connect_up();
	ASK(a, "CLIENT", "PAUSE", "300", "ALL");
	redis_do(r, 50, answer_cb, &late, "ECHO", "late", NULL);
	reach(base, &late.n, 1);
	ck_assert_int_eq(late.err, ETIMEDOUT);
	ASK(a, "ECHO", "next");
	ck_assert_str_eq(a.str, "next");
	ASK(a, "ECHO", "last");
	ck_assert_str_eq(a.str, "last");
	ck_assert_int_eq(late.n, 1);
}
END_TEST

/* Each command once, whatever it became; greetings are none of them. */
START_TEST(how_commands_end_is_counted)
{
	struct redis_counts	 n;
	struct answer		 a, late, owed;
	uint64_t		 sum = 0;

	memset(&n, 0, sizeof(n));
	late = owed = (struct answer){ 0 };
	start_server(NULL, NULL);
	connect_to(url);
	redis_count(r, &n);
	reach(base, &ups, 1);
	ck_assert_uint_eq(n.ok + n.errors, 0);
	ASK(a, "ECHO", "one");
	ASK(a, "NONSENSE");
	ASK(a, "CLIENT", "PAUSE", "300", "ALL");
	ck_assert_uint_eq(n.ok, 2);
	ck_assert_uint_eq(n.errors, 1);
	redis_do(r, 50, answer_cb, &late, "ECHO", "late", NULL);
	reach(base, &late.n, 1);
	ASK(a, "ECHO", "next");			/* late has been answered, too */
	ck_assert_uint_eq(n.ok, 3);
	ck_assert_uint_eq(n.timeouts, 1);
	for (int i = 0; i < HISTOGRAM_SUM; i++)
		sum += n.seconds[i];
	ck_assert_uint_eq(sum, 4);
	ck_assert_uint_gt(n.seconds[HISTOGRAM_SUM], 0);
	ASK(a, "CLIENT", "PAUSE", "10000", "ALL");
	redis_do(r, 5000, answer_cb, &owed, "ECHO", "owed", NULL);
	turn_for(50);
	stop_server();
	reach(base, &owed.n, 1);
	ck_assert_uint_eq(n.lost, 1);
	ck_assert_uint_eq(n.ok, 4);
}
END_TEST

START_TEST(it_reconnects_after_the_server_was_killed)
{
	struct answer	 a, owed;

	memset(&owed, 0, sizeof(owed));
	start_server(NULL, NULL);
	connect_up();
	ASK(a, "CLIENT", "PAUSE", "10000", "ALL");
	redis_do(r, 5000, answer_cb, &owed, "ECHO", "owed", NULL);
	turn_for(50);
	stop_server();
	reach(base, &owed.n, 1);
	ck_assert_int_eq(owed.err, ENOTCONN);
	reach(base, &downs, 1);
	ck_assert_int_eq(redis_do(r, 100, answer_cb, &a, "PING", NULL), -1);
	ck_assert_int_eq(errno, ENOTCONN);
	start_server(NULL, NULL);
	reach(base, &ups, 2);
	ASK(a, "ECHO", "again");
	ck_assert_str_eq(a.str, "again");
	ck_assert_int_eq(owed.n, 1);
	ck_assert_int_eq(downs, 1);
}
END_TEST

START_TEST(a_server_that_stalls_is_left_and_met_again)
{
	uint64_t	 before;

	start_server(NULL, NULL);
	connect_up();
	kill(server, SIGSTOP);
	before = clock_ms();
	redis_do(r, 100, count_cb, NULL, "PING", NULL);
	reach(base, &timed_out, 1);
	reach(base, &downs, 1);
	ck_assert_uint_ge(clock_ms() - before, 5000);
	ck_assert_uint_lt(clock_ms() - before, 8000);
	kill(server, SIGCONT);
	reach(base, &ups, 2);
}
END_TEST

START_TEST(ten_thousand_commands_are_outstanding_and_no_more)
{
	start_server(NULL, NULL);
	connect_up();
	for (int i = 0; i < REDIS_MAX_OUTSTANDING; i++)
		ck_assert_int_eq(redis_do(r, 5000, count_cb, NULL, "INCR", "n",
		    NULL), 0);
	ck_assert_int_eq(redis_do(r, 5000, count_cb, NULL, "INCR", "n", NULL),
	    -1);
	ck_assert_int_eq(errno, EAGAIN);
	reach(base, &answered, REDIS_MAX_OUTSTANDING);
	ck_assert_int_eq(redis_do(r, 5000, count_cb, NULL, "INCR", "n", NULL),
	    0);
	reach(base, &answered, REDIS_MAX_OUTSTANDING + 1);
	ck_assert_int_eq(failed, 0);
}
END_TEST

START_TEST(eight_mib_are_queued_and_no_more)
{
	static char	 big[1 << 20], huge[REDIS_MAX_QUEUED + 1];
	int		 n = 0;

	memset(big, 'x', sizeof(big) - 1);
	memset(huge, 'x', sizeof(huge) - 1);
	start_server(NULL, NULL);
	connect_up();
	ck_assert_int_eq(redis_do(r, 100, count_cb, NULL, "SET", "k", huge,
	    NULL), -1);
	ck_assert_int_eq(errno, EAGAIN);
	while (redis_do(r, 9000, count_cb, NULL, "SET", "k", big, NULL) == 0)
		ck_assert_int_lt(++n, 9);
	ck_assert_int_eq(errno, EAGAIN);
	ck_assert_int_ge(n, 7);
	reach(base, &answered, n);
	ck_assert_int_eq(redis_do(r, 9000, count_cb, NULL, "SET", "k", big,
	    NULL), 0);
	reach(base, &answered, n + 1);
}
END_TEST

/* The kernel takes as little of what goes to the server as can be. */
static void
narrow(void)
{
	struct sockaddr_un	 un;
	socklen_t		 len;
	int			 least = 1, n = 0;

	for (int fd = 3; fd < 64; fd++) {
		len = sizeof(un);
		if (getpeername(fd, (struct sockaddr *)&un, &len) == 0 &&
		    un.sun_family == AF_UNIX && strcmp(un.sun_path, path) ==
		    0) {
			ck_assert_int_eq(setsockopt(fd, SOL_SOCKET, SO_SNDBUF,
			    &least, sizeof(least)), 0);
			n++;
		}
	}
	ck_assert_int_eq(n, 1);
}

/* Of the process, not the clock's: neighbours on this machine do not count. */
START_TEST(what_is_queued_is_not_moved_for_each_write)
{
	static char	 big[1 << 20];
	struct answer	 a;
	clock_t		 before;

	memset(big, 'x', sizeof(big) - 1);
	start_server(NULL, NULL);
	connect_up();
	redis_set_bound(r, 80 << 20);
	narrow();
	before = clock();
	for (int i = 0; i < 64; i++)
		ck_assert_int_eq(redis_do(r, 20000, count_cb, NULL, "APPEND",
		    "k", big, NULL), 0);
	reach(base, &answered, 64);
	ck_assert_int_lt((clock() - before) / CLOCKS_PER_SEC, 5);
	ASK(a, "STRLEN", "k");
	ck_assert_int_eq(a.integer, 64 * ((1 << 20) - 1));
}
END_TEST

/* ---- channels ---- */

static char	 heard[256];
static int	 nheard, nlistened;

/* A message, or (msg NULL) a channel that is heard from now on. */
static void
message_cb(const char *channel, size_t clen, const char *msg, size_t mlen,
    void *arg)
{
	size_t	 n = strlen(heard);

	ck_assert_ptr_eq(arg, heard);
	if (msg == NULL) {
		nlistened++;
		return;
	}
	snprintf(heard + n, sizeof(heard) - n, "%.*s:%.*s ", (int)clen,
	    channel, (int)mlen, msg);
	nheard++;
}

START_TEST(messages_come_by_channel_until_unsubscribed)
{
	struct answer	 a;

	start_server(NULL, NULL);
	connect_up();
	ck_assert_int_eq(redis_subscribe(r, "a", message_cb, heard), 0);
	ck_assert_int_eq(redis_subscribe(r, "b", message_cb, heard), 0);
	ck_assert_int_eq(redis_subscribe(r, "b", message_cb, heard), -1);
	ck_assert_int_eq(errno, EEXIST);
	do
		ASK(a, "PUBLISH", "b", "1");
	while (a.integer == 0);
	ASK(a, "PUBLISH", "a", "2");
	ASK(a, "PUBLISH", "c", "3");
	ck_assert_int_eq(a.integer, 0);
	reach(base, &nheard, 2);
	ck_assert_str_eq(heard, "b:1 a:2 ");
	ck_assert_int_eq(nlistened, 2);
	ck_assert_int_eq(redis_unsubscribe(r, "b"), 0);
	ck_assert_int_eq(redis_unsubscribe(r, "b"), -1);
	ck_assert_int_eq(errno, ENOENT);
	do
		ASK(a, "PUBLISH", "b", "4");
	while (a.integer != 0);
	ASK(a, "PUBLISH", "a", "5");
	reach(base, &nheard, 3);
	ck_assert_str_eq(heard, "b:1 a:2 a:5 ");
	/* The last one goes, and one comes back. */
	ck_assert_int_eq(redis_unsubscribe(r, "a"), 0);
	ck_assert_int_eq(redis_subscribe(r, "b", message_cb, heard), 0);
	do
		ASK(a, "PUBLISH", "b", "6");
	while (a.integer == 0);
	reach(base, &nheard, 4);
	ck_assert_int_eq(downs, 0);
}
END_TEST

START_TEST(the_confirmation_of_an_earlier_subscription_is_not_taken_for_the_latter)
{
	start_server(NULL, NULL);
	connect_up();
	ck_assert_int_eq(redis_subscribe(r, "first", message_cb, heard), 0);
	reach(base, &nlistened, 1);
	for (int i = 0; i < 3; i++) {
		ck_assert_int_eq(redis_subscribe(r, "a", message_cb, heard), 0);
		ck_assert_int_eq(redis_unsubscribe(r, "a"), 0);
	}
	ck_assert_int_eq(redis_subscribe(r, "a", message_cb, heard), 0);
	ck_assert_int_eq(redis_subscribe(r, "b", message_cb, heard), 0);
	reach(base, &nlistened, 3);
	turn_for(50);
	ck_assert_int_eq(nlistened, 3);
	/* A new connection confirms all again. */
	stop_server();
	reach(base, &downs, 1);
	start_server(NULL, NULL);
	reach(base, &ups, 2);
	ck_assert_int_eq(nlistened, 6);
}
END_TEST

START_TEST(up_means_subscribed_also_after_each_reconnect)
{
	struct answer	 a;

	start_server(NULL, NULL);
	connect_to(url);
	redis_subscribe(r, "a", message_cb, heard);
	redis_subscribe(r, "b", message_cb, heard);
	for (int i = 1; i <= 3; i++) {
		reach(base, &ups, i);
		ASK(a, "PUBLISH", "a", "1");
		ck_assert_int_eq(a.integer, 1);
		ASK(a, "PUBLISH", "b", "1");
		ck_assert_int_eq(a.integer, 1);
		reach(base, &nheard, 2 * i);
		stop_server();
		reach(base, &downs, i);
		start_server(NULL, NULL);
	}
}
END_TEST

START_TEST(a_lost_channel_connection_is_told_and_repaired)
{
	struct answer	 a;

	start_server(NULL, NULL);
	connect_to(url);
	redis_subscribe(r, "a", message_cb, heard);
	reach(base, &ups, 1);
	redis_do(r, 1000, NULL, NULL, "CLIENT", "KILL", "TYPE", "pubsub",
	    NULL);
	reach(base, &downs, 1);
	reach(base, &ups, 2);
	ASK(a, "PUBLISH", "a", "x");
	ck_assert_int_eq(a.integer, 1);
	reach(base, &nheard, 1);
}
END_TEST

/* ---- who may come in ---- */

START_TEST(without_the_password_it_stays_down)
{
	start_server("--requirepass", "secret");
	connect_to(url);
	turn_for(300);
	ck_assert_int_eq(ups + downs, 0);
}
END_TEST

/* A port that nobody had a moment ago. */
static int
free_port(void)
{
	struct sockaddr_in	 in = { .sin_family = AF_INET };
	socklen_t		 len = sizeof(in);
	int			 fd = socket(AF_INET, SOCK_STREAM, 0);

	in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&in, sizeof(in)), 0);
	getsockname(fd, (struct sockaddr *)&in, &len);
	close(fd);
	return (ntohs(in.sin_port));
}

START_TEST(tcp_passwords_users_and_databases_work)
{
	struct answer	 a;
	char		 text[128];
	int		 port = free_port();

	snprintf(text, sizeof(text), "%d", port);
	start_server("--port", text);
	connect_up();
	ASK(a, "ACL", "SETUSER", "us:er", "on", ">pa@ss/", "~*", "&*", "+@all");
	ck_assert_str_eq(a.str, "OK");
	ASK(a, "CONFIG", "SET", "requirepass", "s@c:et");
	ck_assert_str_eq(a.str, "OK");
	redis_free(r);
	r = NULL;
	ups = 0;

	/* The default user, database 3. */
	snprintf(text, sizeof(text), "redis://:s%%40c:et@localhost:%d/3", port);
	connect_to(text);
	redis_subscribe(r, "a", message_cb, heard);
	reach(base, &ups, 1);
	ASK(a, "SET", "k", "three");
	ck_assert_str_eq(a.str, "OK");
	redis_free(r);
	r = NULL;
	ups = 0;

	/* Another user, database 0, then a wrong password. */
	snprintf(text, sizeof(text),
	    "redis://us%%3Aer:pa%%40ss%%2F@127.0.0.1:%d", port);
	connect_to(text);
	reach(base, &ups, 1);
	ASK(a, "GET", "k");
	ck_assert_int_eq(a.kind, REDIS_NIL);
	ASK(a, "ACL", "WHOAMI");
	ck_assert_str_eq(a.str, "us:er");
	redis_free(r);
	r = NULL;
	ups = 0;

	snprintf(text, sizeof(text), "redis://:wrong@127.0.0.1:%d", port);
	connect_to(text);
	turn_for(300);
	ck_assert_int_eq(ups, 0);
}
END_TEST

START_TEST(a_database_that_is_none_keeps_it_down)
{
	char	 text[128];

	start_server(NULL, NULL);
	snprintf(text, sizeof(text), "%s?db=99", url);
	connect_to(text);
	turn_for(300);
	ck_assert_int_eq(ups, 0);
}
END_TEST

static const struct {
	const char	*url;
	int		 ok;
} urls[] = {
	{ "redis://localhost", 1 },
	{ "redis://localhost/", 1 },
	{ "redis://localhost:6380/15", 1 },
	{ "redis://[::1]:6380/0", 1 },
	{ "redis://[::1]", 1 },
	{ "redis://:password@host", 1 },
	{ "redis://user:password@host:1", 1 },
	{ "redis://user:p:a@s@host", 1 },
	{ "unix:/run/redis.sock", 1 },
	{ "unix:///run/redis.sock", 1 },
	{ "unix:/run/redis.sock?db=3", 1 },
	{ "rediss://host", 1 },
	{ "rediss://user:password@host:1/2?ca_file=%2Fca.pem", 1 },
	{ "rediss://host?cert_file=c&key_file=k&user=a&password_file=p", 1 },
	{ "redis://host?password_file=p", 1 },
	{ "redis://:a?b@host", 1 },
	{ "sentinel://a/main", 1 },
	{ "sentinel://a:1,[::1]:2,c/main/3", 1 },
	{ "sentinel://user:p,w@a,b/main?password_file=", 0 },
	{ "sentinels://user:p,w@a,b/main?ca_file=x", 1 },
	{ "unix:/x?user=a&password_file=p&db=2", 1 },
	{ "sentinel://a", 0 },
	{ "sentinel://a/", 0 },
	{ "sentinel://a,/main", 0 },
	{ "sentinel://,a/main", 0 },
	{ "sentinel://a/main/x", 0 },
	{ "sentinel://a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a/main", 1 },
	{ "sentinel://a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a/main", 0 },
	{ "redis://a,b", 1 },		/* an odd name */
	{ "redis://host?ca_file=x", 0 },
	{ "sentinel://a/main?ca_file=x", 0 },
	{ "unix:/x?ca_file=x", 0 },
	{ "rediss://host?cert_file=c", 0 },
	{ "rediss://host?key_file=k", 0 },
	{ "rediss://host?ca_file", 0 },
	{ "rediss://host?ca_file=", 0 },
	{ "rediss://host?ca_file=a&ca_file=b", 0 },
	{ "rediss://host?", 0 },
	{ "redis://host?other=1", 0 },
	{ "redis://:password@host?password_file=p", 0 },
	{ "redis://user:password@host?user=b", 0 },
	{ "", 0 },
	{ "localhost", 0 },
	{ "http://localhost", 0 },
	{ "redis://", 0 },
	{ "redis:///3", 0 },
	{ "redis://user@host", 0 },
	{ "redis://host:", 0 },
	{ "redis://host:0", 0 },
	{ "redis://host:65536", 0 },
	{ "redis://host:port", 0 },
	{ "redis://host/x", 0 },
	{ "redis://host/-1", 0 },
	{ "redis://[::1", 0 },
	{ "redis://[::1]junk", 0 },
	{ "redis://[::1]:", 0 },
	{ "unix:", 0 },
	{ "unix:?db=1", 0 },
	{ "unix:/x?db=", 0 },
	{ "unix:/x?other=1", 0 },
	{ "unix:/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", 0 },
};

START_TEST(urls_are_checked)
{
	const char	*why = NULL;
	int		 ok = redis_url_check(urls[_i].url, &why) == 0;

	ck_assert_msg(ok == urls[_i].ok, "%s: %s", urls[_i].url, why);
	ck_assert((why == NULL) == ok);
	if (ok)
		return;
	ck_assert_ptr_null(redis_new(base, urls[_i].url, "test", NULL, NULL));
	ck_assert_int_eq(errno, EINVAL);
}
END_TEST

/* ---- leaving ---- */

START_TEST(free_cancels_everything_before_it_returns)
{
	struct answer	 a;

	start_server(NULL, NULL);
	connect_to(url);
	redis_subscribe(r, "a", message_cb, heard);
	reach(base, &ups, 1);
	ASK(a, "CLIENT", "PAUSE", "300", "ALL");
	redis_do(r, 20, count_cb, NULL, "ECHO", "x", NULL);
	for (int i = 0; i < 100; i++)
		redis_do(r, 5000, count_cb, NULL, "ECHO", "x", NULL);
	redis_do(r, 5000, NULL, NULL, "PUBLISH", "a", "x", NULL);
	reach(base, &timed_out, 1);
	redis_free(r);
	r = NULL;
	ck_assert_int_eq(cancelled, 100);
	turn_for(500);
	ck_assert_int_eq(answered + lost, 0);
	ck_assert_int_eq(cancelled, 100);
	ck_assert_int_eq(timed_out, 1);
	ck_assert_int_eq(nheard, 0);
	ck_assert_int_eq(downs, 0);
	ck_assert_int_eq(event_base_get_num_events(base,
	    EVENT_BASE_COUNT_ADDED), 0);
	redis_free(NULL);
}
END_TEST

static int	 freed;

static void
free_now(void)
{
	redis_free(r);
	r = NULL;
	freed++;
}

static void
free_reply_cb(const struct redis_value *v, int err, void *arg)
{
	int	 up = r != NULL && redis_up(r);

	(void)arg;
	if (err != ECANCELED) {
		free_now();
		/* What we were given outlives it. */
		ck_assert(v == NULL || v->kind == REDIS_STRING);
		ck_assert(v == NULL || strcmp(v->str, "x") == 0);
		ck_assert_int_eq(up, err != ENOTCONN);
	} else
		cancelled++;
}

static void
free_message_cb(const char *channel, size_t clen, const char *msg, size_t mlen,
    void *arg)
{
	(void)arg;
	if (msg == NULL)
		return;
	free_now();
	ck_assert(slice_is(slice_of(channel, clen), "a"));
	ck_assert(slice_is(slice_of(msg, mlen), "x"));
}

static int	 free_when;

static void
free_state_cb(int up, void *arg)
{
	(void)arg;
	ups += up;
	if (up == free_when)
		free_now();
}

START_TEST(any_callback_may_free)
{
	struct answer	 a;

	start_server(NULL, NULL);
	free_when = _i == 0 ? 1 : _i == 1 ? 0 : 2;
	r = redis_new(base, url, "test", free_state_cb, NULL);
	redis_subscribe(r, "a", free_message_cb, NULL);
	reach(base, &ups, 1);
	switch (_i) {
	case 0:				/* up */
		break;
	case 1:				/* lost */
		stop_server();
		break;
	case 2:				/* a message, and another behind it */
		redis_do(r, 1000, NULL, NULL, "PUBLISH", "a", "x", NULL);
		redis_do(r, 1000, NULL, NULL, "PUBLISH", "a", "x", NULL);
		break;
	case 3:				/* an answer, and others behind it */
		for (int i = 0; i < 10; i++)
			redis_do(r, 1000, free_reply_cb, NULL, "ECHO", "x",
			    NULL);
		break;
	case 4:				/* a deadline, and others */
		ASK(a, "CLIENT", "PAUSE", "300", "ALL");
		for (int i = 0; i < 10; i++)
			redis_do(r, 20, free_reply_cb, NULL, "ECHO", "x",
			    NULL);
		break;
	case 5:				/* a loss, and others */
		ASK(a, "CLIENT", "PAUSE", "10000", "ALL");
		for (int i = 0; i < 10; i++)
			redis_do(r, 5000, free_reply_cb, NULL, "ECHO", "x",
			    NULL);
		turn_for(20);
		stop_server();
		break;
	}
	reach(base, &freed, 1);
	turn_for(50);
	ck_assert_int_eq(freed, 1);
	ck_assert_int_eq(cancelled, _i < 3 ? 0 : 9);
	ck_assert_int_eq(event_base_get_num_events(base,
	    EVENT_BASE_COUNT_ADDED), 0);
}
END_TEST

static void
again_cb(const struct redis_value *v, int err, void *arg)
{
	count_cb(v, err, arg);
	if (answered < 1000)
		ck_assert_int_eq(redis_do(r, 1000, again_cb, NULL, "PING",
		    NULL), 0);
	else if (err == ENOTCONN)
		ck_assert_int_eq(redis_do(r, 1000, again_cb, NULL, "PING",
		    NULL), -1);
}

START_TEST(its_sockets_are_close_on_exec)
{
	struct sockaddr_un	 un;
	socklen_t		 len;
	int			 sockets = 0;

	start_server(NULL, NULL);
	connect_to(url);
	redis_subscribe(r, "a", message_cb, heard);
	reach(base, &ups, 1);
	for (int fd = 3; fd < 64; fd++) {
		len = sizeof(un);
		if (getpeername(fd, (struct sockaddr *)&un, &len) == 0 &&
		    un.sun_family == AF_UNIX && strcmp(un.sun_path, path) ==
		    0) {
			ck_assert_int_eq(fcntl(fd, F_GETFD), FD_CLOEXEC);
			sockets++;
		}
	}
	ck_assert_int_eq(sockets, 2);
}
END_TEST

START_TEST(callbacks_may_ask_again)
{
	start_server(NULL, NULL);
	connect_up();
	redis_do(r, 1000, again_cb, NULL, "PING", NULL);
	reach(base, &answered, 1000);
	redis_do(r, 1000, again_cb, NULL, "DEBUG", "SLEEP", "0", NULL);
	redis_do(r, 1000, again_cb, NULL, "SHUTDOWN", "NOSAVE", NULL);
	redis_do(r, 1000, again_cb, NULL, "PING", NULL);
	reach(base, &lost, 1);
	reach(base, &downs, 1);
}
END_TEST

/* ---- servers that talk nonsense ---- */

static const struct nonsense {
	const char	*name, *bytes;
	size_t		 len;
} nonsense[] = {
#define N(name, s)	{ name, s, sizeof(s) - 1 }
	N("an answer to nothing", "+OK\r\n"),
	N("an array to nothing",
	    "*3\r\n$7\r\nmessage\r\n$1\r\na\r\n$1\r\nx\r\n"),
	N("an error to nothing", "-ERR max number of clients reached\r\n"),
	N("no protocol", "HTTP/1.1 400 Bad Request\r\n\r\n"),
	N("zeros", "\0\0\0\0\r\n"),
	N("a negative array", "*-5\r\n"),
	N("a count that is none", "*x\r\n"),
	N("a string too long", "$99999999999999999999\r\n"),
	N("a negative string", "$-7\r\n"),
	N("a type of RESP3", "%1\r\n+a\r\n+b\r\n"),
	N("too deep", "*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n"
	    "*1\r\n*1\r\n+x\r\n"),
	N("an escape in an error", "-\x1b[2J\"\\\r\n"),
#undef N
};

static int	 fake, client = -1;
static struct event *fake_ev;

/* A server that greets properly, then sends what the test wants. */
static void
fake_cb(evutil_socket_t fd, short what, void *arg)
{
	const struct nonsense	*n = arg;
	char			 buf[256];

	(void)what;
	client = accept((int)fd, NULL, NULL);
	ck_assert_int_gt(recv(client, buf, sizeof(buf), 0), 0);
	/* To INFO and ROLE, as a proxy may, and to PING. */
	ck_assert_int_eq(send(client, "-NOPERM\x20\r\n-ERR unknown command\r\n"
	    "+PONG\r\n", 39, 0), 39);
	if (n != NULL)
		ck_assert_int_eq(send(client, n->bytes, n->len, 0), n->len);
	close(client);
	event_del(fake_ev);
}

static void
fake_listen(event_callback_fn cb, const void *arg)
{
	struct sock_addr	 a;
	const char		*why;

	ck_assert_int_eq(sock_parse(url, &a, &why), 0);
	fake = sock_listen(&a, SOCK_STREAM, 4);
	ck_assert_int_ne(fake, -1);
	fake_ev = event_new(base, fake, EV_READ | EV_PERSIST, cb,
	    (void *)(uintptr_t)arg);
	event_add(fake_ev, NULL);
}

START_TEST(a_server_that_talks_nonsense_is_left)
{
	fake_listen(fake_cb, &nonsense[_i]);
	connect_to(url);
	reach(base, &downs, 1);
	ck_assert_int_eq(ups, 1);
	event_free(fake_ev);
	close(fake);
}
END_TEST

/* ---- who is not the master ---- */

/* One inline command, by a connection of its own, and its answer. */
static void
tell_server(const char *command)
{
	char	 answer[64];
	int	 fd = sock_connect_unix(path, SOCK_STREAM);

	ck_assert_int_ne(fd, -1);
	fcntl(fd, F_SETFL, 0);
	ck_assert_int_gt(dprintf(fd, "%s\r\n", command), 0);
	ck_assert_int_gt(recv(fd, answer, sizeof(answer), 0), 0);
	ck_assert_msg(answer[0] == '+', "%s: %s", command, answer);
	close(fd);
}

static const struct {
	const char	*stale, *command, *one, *two, *three;
} demoted[] = {
	{ "yes", "SET", "k", "v", NULL },
	{ "yes", "EVAL", "return redis.call('SET', KEYS[1], 'v')", "1", "k" },
	{ "yes", "EVAL", "return redis.error_reply('ERR Error running script "
	    "(call to f_1): @user_script:1: -READONLY You can not write')", "0",
	    NULL },		/* as before version 7 */
	{ "no", "GET", "k", NULL, NULL },
};

START_TEST(a_master_that_was_demoted_is_left_and_met_again)
{
	struct answer	 a, first = { 0 }, second = { 0 };

	start_server("--replica-serve-stale-data", demoted[_i].stale);
	connect_to(url);
	redis_subscribe(r, "a", message_cb, heard);
	reach(base, &ups, 1);
	tell_server("REPLICAOF 127.0.0.1 1");
	redis_do(r, 5000, answer_cb, &first, demoted[_i].command,
	    demoted[_i].one, demoted[_i].two, demoted[_i].three, NULL);
	redis_do(r, 5000, answer_cb, &second, "ECHO", "behind it", NULL);
	reach(base, &downs, 1);
	ck_assert_int_eq(first.n, 1);
	ck_assert_int_eq(first.err, ENOTCONN);
	ck_assert_int_eq(second.n, 1);
	ck_assert_int_eq(second.err, ENOTCONN);
	turn_for(500);			/* dialled, and a replica still */
	ck_assert_int_eq(ups, 1);
	tell_server("REPLICAOF NO ONE");
	reach(base, &ups, 2);
	ASK(a, "SET", "k", "v");
	ck_assert_str_eq(a.str, "OK");
	ck_assert_int_eq(downs, 1);
}
END_TEST

START_TEST(who_lacks_replicas_is_heard)
{
	struct answer	 a;

	start_server("--min-replicas-to-write", "1");
	connect_to(url);
	redis_subscribe(r, "a", message_cb, heard);
	reach(base, &ups, 1);
	for (int i = 0; i < 3; i++) {
		ASK(a, "SET", "k", "v");
		ck_assert_int_eq(a.kind, REDIS_ERROR);
		ck_assert_int_eq(strncmp(a.str, "NOREPLICAS ", 11), 0);
		ASK(a, "EVAL", "return redis.call('SET', KEYS[1], 'v')", "1",
		    "k");
		ck_assert_int_eq(a.kind, REDIS_ERROR);
		ASK(a, "EXISTS", "k");
		ck_assert_int_eq(a.integer, 0);
	}
	turn_for(500);
	ck_assert_int_eq(downs, 0);
}
END_TEST

START_TEST(a_cluster_is_away_for_good)
{
	char	 conf[80];
	FILE	*f;
	int	 port = free_port(), bus = free_port();

	snprintf(conf, sizeof(conf), "%s/conf", dir);
	f = fopen(conf, "w");
	fprintf(f, "cluster-enabled yes\nport %d\ncluster-port %d\n"
	    "bind 127.0.0.1\n", port, bus);
	fclose(f);
	start_server("--include", conf);
	connect_to(url);
	ck_assert_ptr_null(redis_refusal(r));
	for (int i = 0; redis_refusal(r) == NULL; i++) {
		ck_assert_int_lt(i, 1000);
		turn_for(10);
	}
	ck_assert_ptr_nonnull(strstr(redis_refusal(r), "Redis Cluster"));
	ck_assert_int_eq(redis_failed(r), 1);
	turn_for(300);
	ck_assert_int_eq(ups + downs, 0);
}
END_TEST

START_TEST(an_error_that_only_quotes_it_is_an_answer)
{
	struct answer	 a;

	start_server(NULL, NULL);
	connect_up();
	ASK(a, "EVAL", "return redis.error_reply('ERR the READONLY mode')",
	    "0");
	ck_assert_int_eq(a.kind, REDIS_ERROR);
	turn_for(50);
	ck_assert_int_eq(downs, 0);
}
END_TEST

START_TEST(who_may_not_ask_for_the_role_gets_in)
{
	struct answer	 a;
	char		 text[128];
	int		 port = free_port();

	snprintf(text, sizeof(text), "%d", port);
	start_server("--port", text);
	connect_up();
	ASK(a, "ACL", "SETUSER", "user", "on", ">pw", "~*", "&*", "+@all",
	    "-role");
	redis_free(r);
	snprintf(text, sizeof(text), "redis://user:pw@127.0.0.1:%d", port);
	ups = 0;
	r = NULL;
	connect_up_to(text);
	/* What the role would have told, the first write does. */
	tell_server("REPLICAOF 127.0.0.1 1");
	redis_do(r, 5000, NULL, NULL, "SET", "k", "v", NULL);
	reach(base, &downs, 1);
	reach(base, &ups, 2);
}
END_TEST

START_TEST(until_everything_is_loaded_it_is_down)
{
	struct answer	 a;
	char		 conf[80];
	FILE		*f;

	snprintf(conf, sizeof(conf), "%s/conf", dir);
	f = fopen(conf, "w");
	fputs("key-load-delay 2000\n"
	    "loading-process-events-interval-bytes 1024\n", f);
	fclose(f);
	start_server(NULL, NULL);
	connect_up();
	ASK(a, "EVAL", "for i = 1, 500 do redis.call('SET', i, "
	    "string.rep('x', 100)) end", "0");
	ASK(a, "SAVE");
	stop_server();
	reach(base, &downs, 1);
	start_server("--include", conf);
	reach(base, &ups, 2);
	ASK(a, "DBSIZE");
	ck_assert_int_eq(a.integer, 500);
	ck_assert_int_eq(downs, 1);
}
END_TEST

/* ---- names ---- */

START_TEST(a_name_that_is_unknown_is_a_server_that_is_away)
{
	uint64_t	 before = clock_ms();

	connect_to("redis://redis-not-yet.invalid:6379");
	/* However long the look-up takes, the loop goes on. */
	ck_assert_uint_lt(clock_ms() - before, 2000);
	turn_for(300);
	ck_assert_int_eq(redis_do(r, 100, count_cb, NULL, "PING", NULL), -1);
	ck_assert_int_eq(errno, ENOTCONN);
	ck_assert_int_eq(ups + downs, 0);
	redis_free(r);
	r = NULL;
	ck_assert_int_eq(event_base_get_num_events(base,
	    EVENT_BASE_COUNT_ADDED), 0);
}
END_TEST

START_TEST(a_look_up_can_be_cancelled_at_any_time)
{
	for (int i = 0; i < 100; i++) {
		connect_to("redis://localhost:1");
		if (i % 2 == 0)
			event_base_loop(base, EVLOOP_NONBLOCK);
		redis_free(r);
		r = NULL;
	}
}
END_TEST

/* Answers everything with the same, an error also for the greeting. */
static void
refuse_cb(evutil_socket_t fd, short what, void *arg)
{
	static const char	 text[] = "-LOADING come later\r\n";

	(void)what;
	client = accept((int)fd, NULL, NULL);
	ck_assert_int_eq(send(client, text, sizeof(text) - 1, 0),
	    sizeof(text) - 1);
	close(client);
	++*(int *)arg;
}

START_TEST(a_server_that_refuses_is_asked_again_with_pauses)
{
	int		 n = 0;
	uint64_t	 before = clock_ms();

	fake_listen(refuse_cb, &n);
	connect_to(url);
	reach(base, &n, 5);
	/* 25 + 50 + 100 + 200 at least. */
	ck_assert_uint_ge(clock_ms() - before, 370);
	ck_assert_int_eq(ups + downs, 0);
	event_free(fake_ev);
	close(fake);
}
END_TEST

static void
silent_cb(evutil_socket_t fd, short what, void *arg)
{
	(void)what;
	client = accept((int)fd, NULL, NULL);
	++*(int *)arg;
}

START_TEST(a_server_that_never_greets_is_left_after_two_seconds)
{
	int		 n = 0;
	uint64_t	 before = clock_ms();

	fake_listen(silent_cb, &n);
	connect_to(url);
	reach(base, &n, 2);
	ck_assert_uint_ge(clock_ms() - before, 2000);
	ck_assert_int_eq(ups + downs, 0);
	event_free(fake_ev);
	close(fake);
}
END_TEST

START_TEST(replies_resume_at_every_byte)
{
	static const char	 text[] =
	    "-NOPERM\x20this\r\n$2\r\n# \r\n+PONG\r\n*2\r\n$1\r\nx\r\n:-5\r\n$-1\r\n";
	int			 one = 1, flags = 0;
	struct answer		 a = { 0 }, b = { 0 };

	fake_listen(silent_cb, &flags);
	connect_to(url);
	reach(base, &flags, 1);
	for (size_t i = 0; i < sizeof(text) - 1; i++) {
		if (ups == 1 && a.n == 0 && one) {
			redis_do(r, 5000, answer_cb, &a, "A", NULL);
			redis_do(r, 5000, answer_cb, &b, "B", NULL);
			one = 0;
		}
		ck_assert_int_eq(send(client, text + i, 1, 0), 1);
		turn_for(2);
	}
	reach(base, &b.n, 1);
	ck_assert_int_eq(a.kind, REDIS_ARRAY);
	ck_assert_int_eq(b.kind, REDIS_NIL);
	ck_assert_int_eq(downs, 0);
	event_free(fake_ev);
	close(fake);
	close(client);
}
END_TEST

int
main(void)
{
	Suite	*s = suite_create("redis");
	TCase	*t = tcase_create("redis");
	SRunner	*runner;
	int	 nfailed;

	tcase_set_timeout(t, 30);
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, every_kind_of_value_arrives);
	tcase_add_test(t, arrays_nest_and_arguments_are_binary_safe);
	tcase_add_test(t, large_values_go_and_come_in_order_with_others);
	tcase_add_test(t, before_it_is_up_commands_are_enotconn);
	tcase_add_test(t, each_command_has_its_own_deadline);
	tcase_add_test(t,
	    a_late_reply_is_discarded_and_never_taken_for_another);
	tcase_add_test(t, how_commands_end_is_counted);
	tcase_add_test(t, it_reconnects_after_the_server_was_killed);
	tcase_add_test(t, a_server_that_stalls_is_left_and_met_again);
	tcase_add_test(t, ten_thousand_commands_are_outstanding_and_no_more);
	tcase_add_test(t, eight_mib_are_queued_and_no_more);
	tcase_add_test(t, what_is_queued_is_not_moved_for_each_write);
	tcase_add_test(t, messages_come_by_channel_until_unsubscribed);
	tcase_add_test(t,
	    the_confirmation_of_an_earlier_subscription_is_not_taken_for_the_latter);
	tcase_add_test(t, up_means_subscribed_also_after_each_reconnect);
	tcase_add_test(t, a_lost_channel_connection_is_told_and_repaired);
	tcase_add_test(t, without_the_password_it_stays_down);
	tcase_add_test(t, tcp_passwords_users_and_databases_work);
	tcase_add_test(t, a_database_that_is_none_keeps_it_down);
	tcase_add_loop_test(t, urls_are_checked, 0, (int)nitems(urls));
	tcase_add_test(t, free_cancels_everything_before_it_returns);
	tcase_add_loop_test(t, any_callback_may_free, 0, 6);
	tcase_add_test(t, its_sockets_are_close_on_exec);
	tcase_add_test(t, callbacks_may_ask_again);
	tcase_add_loop_test(t, a_server_that_talks_nonsense_is_left, 0,
	    (int)nitems(nonsense));
	tcase_add_loop_test(t,
	    a_master_that_was_demoted_is_left_and_met_again, 0,
	    (int)nitems(demoted));
	tcase_add_test(t, who_lacks_replicas_is_heard);
	tcase_add_test(t, a_cluster_is_away_for_good);
	tcase_add_test(t, an_error_that_only_quotes_it_is_an_answer);
	tcase_add_test(t, who_may_not_ask_for_the_role_gets_in);
	tcase_add_test(t, until_everything_is_loaded_it_is_down);
	tcase_add_test(t, a_name_that_is_unknown_is_a_server_that_is_away);
	tcase_add_test(t, a_look_up_can_be_cancelled_at_any_time);
	tcase_add_test(t, a_server_that_refuses_is_asked_again_with_pauses);
	tcase_add_test(t,
	    a_server_that_never_greets_is_left_after_two_seconds);
	tcase_add_test(t, replies_resume_at_every_byte);
	suite_add_tcase(s, t);
	runner = srunner_create(s);
	srunner_run_all(runner, CK_NORMAL);
	nfailed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return (nfailed != 0);
}
