#include <sys/pidfd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <event2/event.h>

#include "common/proc.h"

static char	 dir[] = "/tmp/kennel-test-XXXXXX", path[128];

static void
setup(void)
{
	ck_assert_ptr_nonnull(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/file", dir);
}

static void
teardown(void)
{
	char	 command[64];

	snprintf(command, sizeof(command), "rm -rf %s", dir);
	ck_assert_int_eq(system(command), 0);
}

static int	 got[8], ngot;

static void
signal_cb(int signo, void *arg)
{
	got[ngot++] = signo;
	if (ngot == 2)
		event_base_loopbreak(arg);
}

START_TEST(signals_come_through_the_loop_and_sigpipe_never)
{
	static const int	 signos[] = { SIGTERM, SIGUSR2, 0 };
	struct event_base	*base = event_base_new();
	struct proc_signals	*s;

	s = proc_signals_new(base, signos, signal_cb, base);
	ck_assert_ptr_nonnull(s);
	raise(SIGTERM);
	raise(SIGUSR2);
	raise(SIGPIPE);
	ck_assert_int_eq(ngot, 0);
	event_base_dispatch(base);
	ck_assert_int_eq(ngot, 2);
	ck_assert_int_eq(got[0] + got[1], SIGTERM + SIGUSR2);
	proc_signals_free(s);
	proc_signals_free(NULL);
	event_base_free(base);
}
END_TEST

START_TEST(directories_are_made_with_parents_and_are_ours_alone)
{
	struct stat	 st;

	snprintf(path, sizeof(path), "%s/a/b/c", dir);
	umask(0);
	ck_assert_int_eq(proc_dir(path, geteuid(), getegid()), 0);
	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert_uint_eq(st.st_mode & 07777, 0700);
	ck_assert_int_eq(proc_dir(path, geteuid(), getegid()), 0);
	strcat(path, "/");
	ck_assert_int_eq(proc_dir(path, geteuid(), getegid()), 0);
}
END_TEST

START_TEST(a_directory_open_to_others_is_eperm)
{
	ck_assert_int_eq(chmod(dir, 0710), 0);
	ck_assert_int_eq(proc_dir(dir, geteuid(), getegid()), -1);
	ck_assert_int_eq(errno, EPERM);
}
END_TEST

START_TEST(a_directory_of_somebody_else_is_eperm)
{
	if (geteuid() == 0)
		ck_assert_int_eq(chown(dir, 65534, 65534), 0);
	ck_assert_int_eq(proc_dir(geteuid() == 0 ? dir : "/", geteuid(),
	    getegid()), -1);
	ck_assert_int_eq(errno, EPERM);
}
END_TEST

START_TEST(a_file_in_the_way_and_a_path_too_long_are_errors)
{
	char	 huge[PATH_MAX + 10];

	close(open(path, O_CREAT | O_WRONLY, 0600));
	ck_assert_int_eq(proc_dir(path, geteuid(), getegid()), -1);
	ck_assert_int_eq(errno, ENOTDIR);
	memset(huge, 'a', sizeof(huge) - 1);
	huge[sizeof(huge) - 1] = '\0';
	ck_assert_int_eq(proc_dir(huge, geteuid(), getegid()), -1);
	ck_assert_int_eq(errno, ENAMETOOLONG);
}
END_TEST

/* Links that somebody else made lead nowhere, the last name is never one. */
START_TEST(a_link_is_not_followed)
{
	char	 link[128], behind[160], with_slash[130];

	snprintf(link, sizeof(link), "%s/link", dir);
	snprintf(behind, sizeof(behind), "%s/link/run", dir);
	snprintf(with_slash, sizeof(with_slash), "%s/", link);
	ck_assert_int_eq(mkdir(path, 0700), 0);
	ck_assert_int_eq(symlink(path, link), 0);
	errno = 0;
	ck_assert_int_eq(proc_dir(link, geteuid(), getegid()), -1);
	ck_assert_int_eq(errno, ELOOP);
	ck_assert_int_eq(proc_dir(with_slash, geteuid(), getegid()), -1);
	ck_assert_int_eq(errno, ELOOP);
	ck_assert_int_eq(proc_dir_open(link), -1);
	/* One of ours on the way is no danger. */
	ck_assert_int_eq(proc_dir(behind, geteuid(), getegid()), 0);
	if (geteuid() == 0) {
		ck_assert_int_eq(lchown(link, 65534, 65534), 0);
		ck_assert_int_eq(proc_dir(behind, geteuid(), getegid()), -1);
		ck_assert_int_eq(errno, ELOOP);
	}
	ck_assert_int_eq(rmdir(behind) == 0 || geteuid() == 0, 1);
	unlink(link);
}
END_TEST

START_TEST(a_directory_is_opened_while_it_is_ours_alone)
{
	int	 fd;

	ck_assert_int_eq(proc_dir(path, geteuid(), getegid()), 0);
	ck_assert_int_ne(fd = proc_dir_open(path), -1);
	close(fd);
	ck_assert_int_eq(chmod(path, 0755), 0);
	ck_assert_int_eq(proc_dir_open(path), -1);
	ck_assert_int_eq(errno, EPERM);
}
END_TEST

/* A child that holds the lock until *end is closed. */
static pid_t
child_with_lock(int *end, int cloexec)
{
	int	 ready[2], hold[2];
	pid_t	 pid;
	char	 c = 0;

	ck_assert_int_eq(pipe(ready), 0);
	ck_assert_int_eq(pipe(hold), 0);
	if ((pid = fork()) == 0) {
		close(hold[1]);
		if (proc_lock(path, cloexec, NULL) != -1)
			c = 1;
		if (write(ready[1], &c, 1) == 1 && read(hold[0], &c, 1) == 0)
			_exit(0);
		_exit(1);
	}
	close(hold[0]);
	ck_assert_int_eq(read(ready[0], &c, 1), 1);
	ck_assert_int_eq(c, 1);
	close(ready[0]);
	close(ready[1]);
	*end = hold[1];
	return (pid);
}

START_TEST(a_lock_held_elsewhere_is_eagain_and_names_the_holder)
{
	struct stat	 st;
	pid_t		 pid, holder = 0;
	int		 end, fd;

	pid = child_with_lock(&end, 1);
	ck_assert_int_eq(proc_lock(path, 1, &holder), -1);
	ck_assert_int_eq(errno, EAGAIN);
	ck_assert_int_eq(holder, pid);
	ck_assert_int_eq(proc_lock(path, 1, NULL), -1);
	ck_assert_int_eq(proc_lock_holder(path), pid);
	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert_uint_eq(st.st_mode & 07777, 0600);
	/* Death releases it; the file stays. */
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	close(end);
	ck_assert_int_eq(proc_lock_holder(path), 0);
	fd = proc_lock(path, 1, NULL);
	ck_assert_int_ne(fd, -1);
	close(fd);
}
END_TEST

START_TEST(the_locks_descriptor_is_close_on_exec_if_asked)
{
	int	 fd = proc_lock(path, 1, NULL);

	ck_assert_int_eq(fcntl(fd, F_GETFD), FD_CLOEXEC);
	close(fd);
	fd = proc_lock(path, 0, NULL);
	ck_assert_int_eq(fcntl(fd, F_GETFD), 0);
	close(fd);
}
END_TEST

START_TEST(a_lock_survives_exec)
{
	int	 out[2], fd;
	pid_t	 pid;
	char	 c;

	ck_assert_int_eq(pipe(out), 0);
	if ((pid = fork()) == 0) {
		fd = proc_lock(path, 0, NULL);
		dup2(out[1], STDOUT_FILENO);
		execl("/bin/sh", "sh", "-c", "echo; sleep 60", (char *)NULL);
		_exit(fd);
	}
	ck_assert_int_eq(read(out[0], &c, 1), 1);
	ck_assert_int_eq(proc_lock_holder(path), pid);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	ck_assert_int_eq(proc_lock_holder(path), 0);
}
END_TEST

START_TEST(a_lock_that_never_was_has_no_holder_and_links_are_not_followed)
{
	char	 target[128];

	ck_assert_int_eq(proc_lock_holder(path), 0);
	ck_assert_int_eq(access(path, F_OK), -1);
	snprintf(target, sizeof(target), "%s/target", dir);
	ck_assert_int_eq(symlink(target, path), 0);
	ck_assert_int_eq(proc_lock(path, 1, NULL), -1);
	ck_assert_int_eq(access(target, F_OK), -1);
	ck_assert_int_eq(proc_lock_holder(path), -1);
}
END_TEST

START_TEST(the_soft_limit_is_raised_to_the_hard_one)
{
	struct rlimit	 r;

	getrlimit(RLIMIT_NOFILE, &r);
	r.rlim_cur = 64;
	r.rlim_max = 128;
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &r), 0);
	ck_assert_uint_eq(proc_nofile(), 128);
	getrlimit(RLIMIT_NOFILE, &r);
	ck_assert_uint_eq(r.rlim_cur, 128);
	ck_assert_uint_eq(proc_nofile(), 128);
}
END_TEST

START_TEST(descriptors_from_a_number_on_are_closed)
{
	int	 low = fcntl(STDIN_FILENO, F_DUPFD, 100);
	int	 high = fcntl(STDIN_FILENO, F_DUPFD, 200);

	ck_assert(low >= 100 && high >= 200);
	proc_close_from(high);
	ck_assert_int_eq(fcntl(low, F_GETFD), 0);
	ck_assert_int_eq(fcntl(high, F_GETFD), -1);
	close(low);
}
END_TEST

/* Receives what proc_notify() sends to name, '@' for the abstract space. */
static void
expect_notice(const char *name)
{
	struct sockaddr_un	 un = { .sun_family = AF_UNIX };
	int			 fd = socket(AF_UNIX, SOCK_DGRAM, 0);
	char			 buf[32] = "";

	memcpy(un.sun_path, name, strlen(name));
	if (*name == '@')
		un.sun_path[0] = '\0';
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&un, (socklen_t)
	    (offsetof(struct sockaddr_un, sun_path) + strlen(name))), 0);
	setenv("NOTIFY_SOCKET", name, 1);
	proc_notify("READY=1");
	ck_assert_int_eq(recv(fd, buf, sizeof(buf), MSG_DONTWAIT), 7);
	ck_assert_str_eq(buf, "READY=1");
	close(fd);
}

START_TEST(systemd_is_notified_by_path_and_by_abstract_name)
{
	char	 name[64];

	expect_notice(path);
	snprintf(name, sizeof(name), "@%s", dir);
	expect_notice(name);
}
END_TEST

START_TEST(without_a_usable_notify_socket_nothing_happens)
{
	char	 huge[300];

	unsetenv("NOTIFY_SOCKET");
	proc_notify("READY=1");
	setenv("NOTIFY_SOCKET", "", 1);
	proc_notify("READY=1");
	setenv("NOTIFY_SOCKET", "vsock:2:1", 1);
	proc_notify("READY=1");
	memset(huge, '/', sizeof(huge) - 1);
	huge[sizeof(huge) - 1] = '\0';
	setenv("NOTIFY_SOCKET", huge, 1);
	proc_notify("READY=1");
	setenv("NOTIFY_SOCKET", path, 1);
	proc_notify("READY=1");
}
END_TEST

static char	*listen_names;

static int
listen_fds(pid_t pid, const char *n)
{
	char	 text[16];

	snprintf(text, sizeof(text), "%d", pid);
	setenv("LISTEN_PID", text, 1);
	setenv("LISTEN_FDS", n, 1);
	setenv("LISTEN_FDNAMES", "web:other", 1);
	free(listen_names);
	return (proc_listen_fds(&listen_names));
}

START_TEST(passed_descriptors_are_counted_only_if_they_are_for_us)
{
	int	 null = open("/dev/null", O_RDONLY);

	dup2(null, 3);
	dup2(null, 4);
	ck_assert_int_eq(listen_fds(getpid() + 1, "2"), 0);
	ck_assert_ptr_null(getenv("LISTEN_PID"));
	ck_assert_ptr_null(getenv("LISTEN_FDS"));
	ck_assert_int_eq(listen_fds(getpid(), "-1"), 0);
	ck_assert_int_eq(listen_fds(getpid(), "x"), 0);
	ck_assert_int_eq(listen_fds(getpid(), "100000"), 0);
	ck_assert_ptr_null(listen_names);
	ck_assert_int_eq(proc_listen_fds(&listen_names), 0);
	ck_assert_ptr_null(listen_names);
	ck_assert_int_eq(fcntl(4, F_GETFD), 0);
	ck_assert_int_eq(listen_fds(getpid(), "2"), 2);
	ck_assert_ptr_null(getenv("LISTEN_FDS"));
	ck_assert_str_eq(listen_names, "web:other");
	free(listen_names);
	for (int fd = 3; fd <= 4; fd++) {
		ck_assert_int_eq(fcntl(fd, F_GETFD), FD_CLOEXEC);
		ck_assert((fcntl(fd, F_GETFL) & O_NONBLOCK) != 0);
	}
}
END_TEST

START_TEST(the_directory_of_the_executable_is_known)
{
	char	 exe[PATH_MAX], expect[PATH_MAX] = "";

	ck_assert_int_gt(readlink("/proc/self/exe", expect,
	    sizeof(expect) - 1), 0);
	*strrchr(expect, '/') = '\0';
	ck_assert_int_eq(proc_exe_dir(exe, sizeof(exe)), 0);
	ck_assert_str_eq(exe, expect);
	ck_assert_int_eq(proc_exe_dir(exe, 4), -1);
	ck_assert_int_eq(errno, ENAMETOOLONG);
}
END_TEST

/* It lives, ends (its descriptors are closed, nobody has asked how it ended), or is
 * long gone. */
START_TEST(a_process_that_ends_has_ended)
{
	int	 go[2], pidfd, status;
	pid_t	 pid;
	char	 c;

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, go), 0);
	if ((pid = fork()) == 0) {
		close(go[0]);
		_exit(read(go[1], &c, 1) != 1);
	}
	close(go[1]);
	ck_assert_int_ne(pidfd = pidfd_open(pid, 0), -1);
	ck_assert_int_eq(proc_ended(pidfd, pid, 60000), 0);	/* at once */
	/* Of one without /proc, so long. */
	ck_assert_int_eq(proc_ended(pidfd, -1, 1), 0);
	ck_assert_int_eq(write(go[0], "g", 1), 1);
	/* Its end of the pair is closed. */
	while (read(go[0], &c, 1) != 0)
		continue;
	ck_assert_int_eq(proc_ended(pidfd, pid, 0), 1);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
	ck_assert_int_eq(proc_ended(pidfd, pid, 0), 1);
	ck_assert_int_eq(proc_ended(pidfd, getpid(), 0), 1);
	close(pidfd);
	close(go[0]);
}
END_TEST

int
main(void)
{
	Suite	*s = suite_create("proc");
	TCase	*t = tcase_create("proc");
	SRunner	*r;
	int	 failed;

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, signals_come_through_the_loop_and_sigpipe_never);
	tcase_add_test(t,
	    directories_are_made_with_parents_and_are_ours_alone);
	tcase_add_test(t, a_directory_open_to_others_is_eperm);
	tcase_add_test(t, a_link_is_not_followed);
	tcase_add_test(t, a_directory_is_opened_while_it_is_ours_alone);
	tcase_add_test(t, a_directory_of_somebody_else_is_eperm);
	tcase_add_test(t, a_file_in_the_way_and_a_path_too_long_are_errors);
	tcase_add_test(t,
	    a_lock_held_elsewhere_is_eagain_and_names_the_holder);
	tcase_add_test(t, the_locks_descriptor_is_close_on_exec_if_asked);
	tcase_add_test(t, a_lock_survives_exec);
	tcase_add_test(t,
	    a_lock_that_never_was_has_no_holder_and_links_are_not_followed);
	tcase_add_test(t, the_soft_limit_is_raised_to_the_hard_one);
	tcase_add_test(t, descriptors_from_a_number_on_are_closed);
	tcase_add_test(t, systemd_is_notified_by_path_and_by_abstract_name);
	tcase_add_test(t, without_a_usable_notify_socket_nothing_happens);
	tcase_add_test(t,
	    passed_descriptors_are_counted_only_if_they_are_for_us);
	tcase_add_test(t, the_directory_of_the_executable_is_known);
	/* Between the first closed descriptor and death is a moment. */
	tcase_add_loop_test(t, a_process_that_ends_has_ended, 0, 20);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return (failed != 0);
}
