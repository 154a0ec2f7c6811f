/* The private redis-server. */
#include <sys/socket.h>

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <event2/event.h>

#include "common/backoff.h"
#include "common/clock.h"
#include "common/log.h"
#include "common/redis.h"
#include "common/sock.h"
#include "gatewayd/child.h"
#include "gatewayd/paths.h"
#include "gatewayd/redisd.h"
#include "gatewayd/settings.h"

#define REDISD_READY_MS		5000
#define REDISD_LOOK_MS		20
#define REDISD_LEAVE_MS		3000
#define REDISD_PROVEN_MS	30000	/* up that long: it is no crash loop */
#define REDISD_BACKOFF_MIN_MS	100
#define REDISD_BACKOFF_MAX_MS	10000

struct redisd {
	struct event_base *base;
	const char	*state_dir;
	char		*program, *sock, *url, *lock, *pidfile, *logfile;
	struct redis	*probe;		/* does it answer? until it has */
	int		 answered;
	pid_t		 pid;		/* 0: none */
	int		 pidfd;		/* -1 */
	struct event	*pid_event;
	struct event	*timer;		/* to start again; leaving: to kill */
	struct event	*ready_timer;	/* to look whether it answers */
	uint64_t	 deadline;	/* clock_ms: to go on without */
	struct backoff	 backoff;
	uint64_t	 since;		/* clock_ms: started or found */
	void		(*ready_cb)(void *);
	void		(*left_cb)(void *);	/* leaving */
	void		*arg;		/* of both */
};

static void	 redisd_start(struct redisd *);
static int	 redisd_find(struct redisd *);
static int	 redisd_spawn(struct redisd *);
static int	 redisd_watch(struct redisd *);
static void	 redisd_again(struct redisd *, int);
static void	 redisd_forget(struct redisd *);
static void	 redisd_probe_cb(int, void *);
static void	 redisd_exit_cb(evutil_socket_t, short, void *);
static void	 redisd_timer_cb(evutil_socket_t, short, void *);
static void	 redisd_ready_timer_cb(evutil_socket_t, short, void *);

struct redisd *
redisd_new(struct event_base *base, const struct settings *settings,
    void (*ready_cb)(void *), void *arg)
{
	struct redisd		*d;

	if ((d = calloc(1, sizeof(*d))) == NULL)
		goto no_memory;
	d->base = base;
	d->state_dir = settings->state_dir;
	d->pidfd = -1;
	d->ready_cb = ready_cb;
	d->arg = arg;
	backoff_init(&d->backoff, REDISD_BACKOFF_MIN_MS,
	    REDISD_BACKOFF_MAX_MS);
	if ((d->program = paths_program(NULL, "redis-server")) == NULL) {
		log_warn("redis-server is not in PATH; install it (Debian: "
		    "apt install redis-server), or go without: --redis none");
		redisd_free(d);
		errno = ENOENT;
		return (NULL);
	}
	d->sock = paths_in(settings->run_dir, "redis.sock");
	d->pidfile = paths_in(settings->run_dir, "redis.pid");
	d->logfile = paths_in(settings->state_dir, "redis.log");
	/* With the data, for nobody else may write there. */
	d->lock = paths_in(settings->state_dir, "redis.lock");
	if (d->sock == NULL || asprintf(&d->url, "unix:%s", d->sock) == -1)
		d->url = NULL;
	d->timer = evtimer_new(base, redisd_timer_cb, d);
	d->ready_timer = evtimer_new(base, redisd_ready_timer_cb, d);
	if (d->url == NULL || d->pidfile == NULL || d->logfile == NULL ||
	    d->lock == NULL || d->timer == NULL || d->ready_timer == NULL)
		goto no_memory;
	redisd_start(d);
	d->deadline = clock_ms() + REDISD_READY_MS;
	event_active(d->ready_timer, EV_TIMEOUT, 1);
	return (d);
no_memory:
	log_warn("redisd cannot begin: no memory");
	redisd_free(d);
	errno = ENOMEM;
	return (NULL);
}

void
redisd_free(struct redisd *d)
{
	if (d == NULL)
		return;
	redis_free(d->probe);
	redisd_forget(d);
	if (d->timer != NULL)
		event_free(d->timer);
	if (d->ready_timer != NULL)
		event_free(d->ready_timer);
	free(d->program);
	free(d->sock);
	free(d->url);
	free(d->lock);
	free(d->pidfile);
	free(d->logfile);
	free(d);
}

void
redisd_leave(struct redisd *d, void (*done_cb)(void *))
{
	const struct timeval	 most = { REDISD_LEAVE_MS / 1000,
	    REDISD_LEAVE_MS % 1000 * 1000 };

	d->left_cb = done_cb;
	evtimer_del(d->timer);
	event_del(d->ready_timer);
	redis_free(d->probe);
	d->probe = NULL;
	if (d->pid == 0) {
		event_active(d->timer, EV_TIMEOUT, 1);
		return;
	}
	child_kill(d->pidfd, SIGTERM);
	evtimer_add(d->timer, &most);
}

void
redisd_kill(struct redisd *d)
{
	child_kill(d->pidfd, SIGKILL);
}

const char *
redisd_url(const struct redisd *d)
{
	return (d->url);
}

pid_t
redisd_pid(const struct redisd *d)
{
	return (d->pid);
}

/* ---- its process ---- */

/* Take the redis-server that is there, else start one, else later. */
static void
redisd_start(struct redisd *d)
{
	d->since = clock_ms();
	if (redisd_find(d) == 0 || redisd_spawn(d) == 0)
		return;
	redisd_again(d, 1);
}

/* A redis-server that an earlier gateway left and that still answers. */
static int
redisd_find(struct redisd *d)
{
	int	 fd, rc;

	if ((fd = sock_connect_unix(d->sock, SOCK_STREAM)) == -1)
		return (-1);
	rc = sock_peer(fd, &d->pid, NULL);
	close(fd);
	if (rc == -1 || d->pid <= 0 ||
	    (d->pidfd = child_watch(d->pid)) == -1) {
		d->pid = 0;
		return (-1);
	}
	if (redisd_watch(d) == -1)
		return (-1);
	log_info("redisd pid=%d found", (int)d->pid);
	return (0);
}

/* Start a redis-server.  0, or -1, which is logged. */
static int
redisd_spawn(struct redisd *d)
{
	const char	*const argv[] = { "redis-server", "--port", "0",
	    "--unixsocket", d->sock, "--unixsocketperm", "700",
	    "--dir", d->state_dir, "--appendonly", "yes",
	    "--appendfsync", "always", "--save", "", "--daemonize", "no",
	    "--pidfile", d->pidfile, "--logfile", d->logfile, NULL };
	pid_t		 pid, holder;

	(void)unlink(d->sock);		/* nobody answers there */
	/* execv's prototype lacks a const. */
	pid = child_spawn(d->program, -1, (char *const *)(uintptr_t)argv, d->lock,
	    NULL, &d->pidfd, &holder);
	if (pid == -1 && holder != 0)
		log_warn("redisd pid=%d uses %s and does not answer here; end "
		    "it, or give another --state-dir", (int)holder,
		    d->state_dir);
	else if (pid == -1)
		log_warn("redisd %s cannot be started: %s", d->program,
		    strerror(errno));
	if (pid == -1)
		return (-1);
	d->pid = pid;
	if (redisd_watch(d) == -1)
		return (-1);
	log_info("redisd pid=%d started", (int)d->pid);
	return (0);
}

/* Hear when the process ends.  0, or -1, and it is killed. */
static int
redisd_watch(struct redisd *d)
{
	d->pid_event = event_new(d->base, d->pidfd, EV_READ,
	    redisd_exit_cb, d);
	if (d->pid_event != NULL && event_add(d->pid_event, NULL) == 0)
		return (0);
	log_warn("redisd pid=%d cannot be watched: no memory", (int)d->pid);
	child_kill(d->pidfd, SIGKILL);
	redisd_forget(d);
	return (-1);
}

/* The process is nobody any more. */
static void
redisd_forget(struct redisd *d)
{
	if (d->pid_event != NULL)
		event_free(d->pid_event);
	d->pid_event = NULL;
	if (d->pidfd != -1)
		close(d->pidfd);
	d->pidfd = -1;
	d->pid = 0;
}

/* Start again: the first time at once, unless delayed. */
static void
redisd_again(struct redisd *d, int delayed)
{
	struct timeval	 tv = { 0, 0 };
	uint32_t	 ms;

	if (clock_ms() - d->since >= REDISD_PROVEN_MS)
		backoff_reset(&d->backoff);
	if (delayed || d->backoff.step_ms != 0) {
		ms = backoff_next(&d->backoff);
		tv.tv_sec = ms / 1000;
		tv.tv_usec = ms % 1000 * 1000;
	} else
		(void)backoff_next(&d->backoff);
	evtimer_add(d->timer, &tv);
}

/* The process has ended. */
static void
redisd_exit_cb(evutil_socket_t fd, short what, void *arg)
{
	struct redisd	*d = arg;
	char		 how[32];

	(void)fd, (void)what;
	child_ended(how, sizeof(how), d->pid);
	if (d->left_cb == NULL)
		log_warn("redisd pid=%d ended %s; %s says why", (int)d->pid,
		    how, d->logfile);
	redisd_forget(d);
	if (d->left_cb == NULL) {
		redisd_again(d, 0);
		return;
	}
	/* redis-server removes these itself, unless it was killed. */
	(void)unlink(d->sock);
	(void)unlink(d->pidfile);
	evtimer_del(d->timer);
	d->left_cb(d->arg);		/* may free d */
}

/* The back-off is over; or, leaving, its time is. */
static void
redisd_timer_cb(evutil_socket_t fd, short what, void *arg)
{
	struct redisd	*d = arg;

	(void)fd, (void)what;
	if (d->left_cb == NULL)
		redisd_start(d);
	else if (d->pid == 0)
		d->left_cb(d->arg);	/* may free d */
	else {
		log_warn("redisd pid=%d does not end, killed", (int)d->pid);
		child_kill(d->pidfd, SIGKILL);
	}
}

/* ---- does it answer? ---- */

/* Redis answers, or does not any more. */
static void
redisd_probe_cb(int up, void *arg)
{
	struct redisd	*d = arg;

	if (!up)
		return;
	d->answered = 1;		/* the probe cannot be freed from here */
	event_active(d->ready_timer, EV_TIMEOUT, 1);
}

/* Look whether Redis answers; in the end, go on without. */
static void
redisd_ready_timer_cb(evutil_socket_t fd, short what, void *arg)
{
	const struct timeval	 tv = { 0, REDISD_LOOK_MS * 1000 };
	struct redisd		*d = arg;

	(void)fd, (void)what;
	if (!d->answered && clock_ms() < d->deadline) {
		/* Not before its socket is there: that would be logged. */
		if (d->probe == NULL && access(d->sock, F_OK) == 0)
			d->probe = redis_new(d->base, d->url, "start",
			    redisd_probe_cb, d);
		evtimer_add(d->ready_timer, &tv);
		return;
	}
	if (!d->answered)
		log_warn("redisd does not answer, going on without; %s may "
		    "say why", d->logfile);
	event_del(d->ready_timer);
	redis_free(d->probe);
	d->probe = NULL;
	d->ready_cb(d->arg);
}
