/* What systemd is told. */
#include <sys/socket.h>
#include <sys/un.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <check.h>
#include <event2/event.h>

#include "gatewayd/supervisor.h"

static struct event_base	*base;
static int			 sock;
static char			 heard[512], status_text[64];

static void
status_cb(char *dst, size_t size, void *arg)
{
	ck_assert_ptr_eq(arg, status_text);
	snprintf(dst, size, "%s", status_text);
}

/* The supervisor's end. */
static void
setup(void)
{
	struct sockaddr_un	 un = { .sun_family = AF_UNIX };
	socklen_t		 len = sizeof(un);

	/* The kernel chooses an abstract name. */
	sock = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);
	ck_assert_int_eq(bind(sock, (struct sockaddr *)&un,
	    sizeof(un.sun_family)), 0);
	ck_assert_int_eq(getsockname(sock, (struct sockaddr *)&un, &len), 0);
	un.sun_path[0] = '@';
	un.sun_path[len - sizeof(un.sun_family)] = '\0';
	setenv("NOTIFY_SOCKET", un.sun_path, 1);
	unsetenv("WATCHDOG_USEC");
	unsetenv("WATCHDOG_PID");
	base = event_base_new();
	strcpy(status_text, "fine");
}

static void
teardown(void)
{
	event_base_free(base);
	close(sock);
}

/* The next datagram, or "". */
static const char *
hear(void)
{
	ssize_t	 n = recv(sock, heard, sizeof(heard) - 1, 0);

	heard[n < 0 ? 0 : n] = '\0';
	return (heard);
}

START_TEST(life_is_told_and_the_status_where_it_changed)
{
	struct supervisor	*s = supervisor_new(base, status_cb,
				    status_text);

	ck_assert_ptr_nonnull(s);
	supervisor_reloading(s);	/* while we start: no news */
	supervisor_reloaded(s);
	ck_assert_str_eq(hear(), "");
	supervisor_ready(s);
	ck_assert_str_eq(hear(), "READY=1\nSTATUS=fine");
	strcpy(status_text, "better");
	supervisor_reloading(s);
	ck_assert_int_eq(strncmp(hear(), "RELOADING=1\nMONOTONIC_USEC=", 27),
	    0);
	ck_assert_ptr_nonnull(strstr(heard, "\nSTATUS=better"));
	supervisor_reloaded(s);
	ck_assert_str_eq(hear(), "READY=1");
	supervisor_stopping(s, 1500);
	ck_assert_str_eq(hear(), "STOPPING=1\nEXTEND_TIMEOUT_USEC=1500000");
	supervisor_free(s);
}
END_TEST

START_TEST(the_loop_beats_for_the_watchdog)
{
	char			 pid[16];
	struct supervisor	*s;

	snprintf(pid, sizeof(pid), "%d", (int)getpid());
	setenv("WATCHDOG_PID", pid, 1);
	setenv("WATCHDOG_USEC", "90000", 1);
	s = supervisor_new(base, status_cb, status_text);
	event_base_loop(base, EVLOOP_ONCE);
	ck_assert_str_eq(hear(), "WATCHDOG=1\nSTATUS=fine");
	event_base_loop(base, EVLOOP_ONCE);
	ck_assert_str_eq(hear(), "WATCHDOG=1");
	supervisor_free(s);
}
END_TEST

START_TEST(a_watchdog_of_another_process_is_not_ours)
{
	struct supervisor	*s;

	setenv("WATCHDOG_PID", "1", 1);
	setenv("WATCHDOG_USEC", "3000", 1);
	s = supervisor_new(base, status_cb, status_text);
	event_base_loop(base, EVLOOP_ONCE);
	ck_assert_str_eq(hear(), "STATUS=fine");
	supervisor_free(s);
}
END_TEST

START_TEST(without_a_supervisor_nothing_is_said)
{
	struct supervisor	*s;

	unsetenv("NOTIFY_SOCKET");
	s = supervisor_new(base, status_cb, status_text);
	ck_assert_ptr_null(s);
	supervisor_ready(s);
	supervisor_reloading(s);
	supervisor_reloaded(s);
	supervisor_stopping(s, 1);
	supervisor_free(s);
	ck_assert_str_eq(hear(), "");
}
END_TEST

int
main(void)
{
	Suite	*s = suite_create("supervisor");
	TCase	*t = tcase_create("supervisor");
	SRunner	*r = srunner_create(s);
	int	 failed;

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, life_is_told_and_the_status_where_it_changed);
	tcase_add_test(t, the_loop_beats_for_the_watchdog);
	tcase_add_test(t, a_watchdog_of_another_process_is_not_ours);
	tcase_add_test(t, without_a_supervisor_nothing_is_said);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return (failed != 0);
}
