/* One process of ours. */
#include <sys/stat.h>
#include <sys/wait.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <check.h>

#include "common/proc.h"
#include "gatewayd/child.h"

static char	 dir[64], lock[96], out[96];

static void
setup(void)
{
	strcpy(dir, "/tmp/child.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	snprintf(lock, sizeof(lock), "%s/lock", dir);
	snprintf(out, sizeof(out), "%s/out", dir);
}

static void
teardown(void)
{
	unlink(lock);
	unlink(out);
	rmdir(dir);
}

static pid_t
start(const char *script, int *pidfd)
{
	const char	*argv[] = { "sh", "-c", script, out, NULL };
	pid_t		 pid, holder;

	pid = child_spawn("/bin/sh", -1, (char *const *)(uintptr_t)argv, lock,
	    NULL, pidfd, &holder);
	ck_assert_int_gt(pid, 0);
	ck_assert_int_ne(*pidfd, -1);
	ck_assert_int_eq(holder, 0);
	return (pid);
}

static void
end(pid_t pid, int pidfd, const char *how)
{
	struct pollfd	 p = { .fd = pidfd, .events = POLLIN };
	char		 text[32];

	ck_assert_int_eq(poll(&p, 1, 10000), 1);
	ck_assert_str_eq(child_ended(text, sizeof(text), pid), how);
	close(pidfd);
}

START_TEST(how_it_ended_is_told)
{
	int	 fd;
	pid_t	 pid;

	pid = start("exit 3", &fd);
	end(pid, fd, "status=3");
	pid = start("kill -9 $$", &fd);
	end(pid, fd, "signal=9");
	ck_assert_int_eq(waitpid(-1, NULL, WNOHANG), -1);
	ck_assert_int_eq(errno, ECHILD);
}
END_TEST

/* Children that nobody here started are those of a process 1. */
START_TEST(others_are_buried_and_how_ours_ended_is_kept)
{
	struct pollfd	 p = { .events = POLLIN };
	pid_t		 pid, other;

	ck_assert_int_eq(child_possible(), 0);
	if ((other = fork()) == 0)
		_exit(7);
	ck_assert_int_eq(waitid(P_PID, (id_t)other, &(siginfo_t){ 0 },
	    WEXITED | WNOWAIT), 0);
	pid = start("exit 3", &p.fd);
	ck_assert_int_eq(poll(&p, 1, 10000), 1);
	child_reap();
	ck_assert_int_eq(waitpid(-1, NULL, WNOHANG), -1);
	ck_assert_int_eq(errno, ECHILD);
	end(pid, p.fd, "status=3");
}
END_TEST

START_TEST(it_has_only_its_own_descriptors)
{
	char	 text[256] = "";
	FILE	*f;
	int	 fd, more[20];
	pid_t	 pid;

	for (size_t i = 0; i < 20; i++)
		more[i] = open("/dev/null", O_RDONLY);
	pid = start("for f in 0 1 2 3 4 5 6 7 8 9; do [ -e /proc/$$/fd/$f ] && "
	    "printf %s $f; done > $0; readlink /proc/$$/fd/0 >> $0", &fd);
	end(pid, fd, "status=0");
	for (size_t i = 0; i < 20; i++)
		close(more[i]);
	ck_assert_ptr_nonnull(f = fopen(out, "r"));
	ck_assert_ptr_nonnull(fgets(text, sizeof(text), f));
	fclose(f);
	/* 1 is the file that it writes to. */
	ck_assert_str_eq(text, "0123/dev/null\n");
}
END_TEST

START_TEST(its_lock_lives_as_long_as_it_does)
{
	const char	*argv[] = { "sh", "-c", "exit 0", NULL };
	pid_t		 pid, holder;
	int		 fd, other;

	pid = start("exec sleep 100", &fd);
	ck_assert_int_eq(proc_lock_holder(lock), pid);
	errno = 0;
	ck_assert_int_eq(child_spawn("/bin/sh", -1,
	    (char *const *)(uintptr_t)argv, lock, NULL, &other, &holder), -1);
	ck_assert_int_eq(errno, EAGAIN);
	ck_assert_int_eq(holder, pid);
	ck_assert_int_eq(other, -1);
	child_kill(fd, SIGKILL);
	end(pid, fd, "signal=9");
	ck_assert_int_eq(proc_lock_holder(lock), 0);
}
END_TEST

START_TEST(what_cannot_be_executed_says_why)
{
	const char	*argv[] = { "x", NULL };
	pid_t		 holder;
	int		 fd;

	ck_assert_int_eq(child_spawn("/nowhere/x", -1,
	    (char *const *)(uintptr_t)argv, NULL, NULL, &fd, &holder), -1);
	ck_assert_int_eq(errno, ENOENT);
	ck_assert_int_eq(holder, 0);
	ck_assert_int_eq(child_spawn(dir, -1, (char *const *)(uintptr_t)argv, NULL,
	    NULL, &fd, &holder), -1);
	ck_assert_int_eq(errno, EACCES);
	ck_assert_int_eq(waitpid(-1, NULL, WNOHANG), -1);
}
END_TEST

START_TEST(signals_are_as_on_a_fresh_process)
{
	sigset_t	 block;
	pid_t		 pid;
	int		 fd;

	signal(SIGPIPE, SIG_IGN);
	signal(SIGTERM, SIG_IGN);
	sigemptyset(&block);
	sigaddset(&block, SIGTERM);
	sigprocmask(SIG_BLOCK, &block, NULL);
	pid = start("exec sleep 100", &fd);
	ck_assert_int_eq(getpgid(pid), pid);
	child_kill(fd, SIGTERM);
	end(pid, fd, "signal=15");
	pid = start("exec sleep 100", &fd);
	child_kill(fd, SIGPIPE);
	end(pid, fd, "signal=13");
}
END_TEST

/* A copy of the program, and a script, that are gone before they are executed. */
START_TEST(what_is_open_runs_whatever_stands_at_its_path)
{
	static const char	 script[] = "#!/bin/sh\nexit 5\n";
	const char		*argv[] = { "sh", "-c", "exit 4", NULL };
	char			 copy[128], cmd[300];
	pid_t			 pid, holder;
	int			 fd, program;

	snprintf(copy, sizeof(copy), "%s/copy", dir);
	snprintf(cmd, sizeof(cmd), "cp /bin/sh %s", copy);
	ck_assert_int_eq(system(cmd), 0);
	ck_assert_int_ne(program = open(copy, O_PATH | O_CLOEXEC), -1);
	unlink(copy);
	pid = child_spawn(copy, program, (char *const *)(uintptr_t)argv, lock,
	    NULL, &fd, &holder);
	ck_assert_int_gt(pid, 0);
	end(pid, fd, "status=4");
	close(program);

	ck_assert_int_ne(fd = open(copy, O_CREAT | O_WRONLY, 0700), -1);
	ck_assert_int_eq(write(fd, script, strlen(script)), strlen(script));
	close(fd);
	ck_assert_int_ne(program = open(copy, O_PATH | O_CLOEXEC), -1);
	for (int i = 0; i < 2; i++) {
		pid = child_spawn(copy, program,
		    (char *const *)(uintptr_t)argv, lock, NULL, &fd, &holder);
		ck_assert_int_gt(pid, 0);
		end(pid, fd, "status=5");
		unlink(copy);
	}
	close(program);
}
END_TEST

int
main(void)
{
	Suite	*s = suite_create("child");
	TCase	*tc = tcase_create("child");
	SRunner	*sr;
	int	 failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, how_it_ended_is_told);
	tcase_add_test(tc, others_are_buried_and_how_ours_ended_is_kept);
	tcase_add_test(tc, it_has_only_its_own_descriptors);
	tcase_add_test(tc, its_lock_lives_as_long_as_it_does);
	tcase_add_test(tc, what_cannot_be_executed_says_why);
	tcase_add_test(tc, what_is_open_runs_whatever_stands_at_its_path);
	tcase_add_test(tc, signals_are_as_on_a_fresh_process);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return (failed != 0);
}
