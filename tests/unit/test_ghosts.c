#include <check.h>
#include <stdlib.h>
#include <string.h>

#include <event2/event.h>

#include "common/redis.h"
#include "gatewayd/ghosts.h"
#include "tests/unit/redis_server.h"

#define LOCK	"k:sweeper"

static struct event_base *base;
static struct redis	*r;
static struct ghosts	*g;
static int		 ups, answers, found;
static char		 holder[16];	/* what Redis says of the lock */

static int
no_cb(struct slice address, void *arg)
{
	(void)address, (void)arg;
	return (0);
}

static int
busy_cb(void *arg)
{
	(void)arg;
	return (0);
}

static void
found_cb(const char *address, void *arg)
{
	(void)arg;
	ck_assert_str_eq(address, "gone/0#00000000000000aa");
	found++;
}

static const struct ghosts_ops ops = {
	.knows = no_cb, .dead = no_cb, .found = found_cb, .busy = busy_cb,
};

static void
state_cb(int up, void *arg)
{
	(void)arg;
	ups += up;
}

static void
setup(void)
{
	make_place();
	start_server(NULL, NULL);
	base = event_base_new();
	r = redis_new(base, url, "test", state_cb, NULL);
	ck_assert_ptr_nonnull(r);
	reach(base, &ups, 1);
	g = ghosts_new(r, "k:", "me", &ops, NULL);
	ck_assert_ptr_nonnull(g);
}

static void
teardown(void)
{
	char	 command[64];

	redis_free(r);
	ghosts_free(g);
	event_base_free(base);
	stop_server();
	snprintf(command, sizeof(command), "rm -rf %s", dir);
	ck_assert_int_eq(system(command), 0);
}

static void
answer_cb(const struct redis_value *v, int err, void *arg)
{
	(void)arg;
	ck_assert_int_eq(err, 0);
	snprintf(holder, sizeof(holder), "%.*s", v->kind == REDIS_STRING ?
	    (int)v->len : 0, v->kind == REDIS_STRING ? v->str : "");
	answers++;
}

/* What Redis answers to that, behind all that was asked before. */
static const char *
ask(const char *command, const char *key, const char *value)
{
	int	 before = answers;

	ck_assert_int_eq(redis_do(r, PATIENCE_MS, answer_cb, NULL, command, key,
	    value, NULL), 0);
	reach(base, &answers, before + 1);
	return (holder);
}

/* And is given back at a tick behind that. */
START_TEST(the_lock_is_had_while_somebody_looks)
{
	ask("SET", "k:shard:gone/0#00000000000000aa:clients", "");
	ghosts_soon(g);
	ghosts_tick(g);
	ck_assert_str_eq(ask("GET", LOCK, NULL), "me");
	reach(base, &found, 1);
	for (int i = 0; i < 9 && strcmp(ask("GET", LOCK, NULL), "") != 0; i++)
		ghosts_tick(g);
	ck_assert_str_eq(holder, "");
}
END_TEST

/* Whatever Redis has not answered yet. */
START_TEST(who_leaves_has_no_lock_and_does_not_look)
{
	ask("SET", "k:shard:gone/0#00000000000000aa:clients", "");
	ghosts_soon(g);
	ghosts_tick(g);
	ghosts_leave(g);
	ck_assert_str_eq(ask("GET", LOCK, NULL), "");
	for (int i = 0; i < 5; i++)	/* a look would be so many questions */
		ask("GET", LOCK, NULL);
	ck_assert_int_eq(found, 0);
	/* And who stays looks again. */
	ghosts_soon(g);
	ghosts_tick(g);
	reach(base, &found, 1);
}
END_TEST

int
main(void)
{
	SRunner	*runner;
	Suite	*s = suite_create("ghosts");
	TCase	*t = tcase_create("lock");
	int	 nfailed;

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_set_timeout(t, 20);
	tcase_add_test(t, the_lock_is_had_while_somebody_looks);
	tcase_add_test(t, who_leaves_has_no_lock_and_does_not_look);
	suite_add_tcase(s, t);
	runner = srunner_create(s);
	srunner_run_all(runner, CK_NORMAL);
	nfailed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return (nfailed != 0);
}
