/*
 * A WebSocket load generator: some processes with connections of their own,
 * every message checked for loss, order and doubling, up to a while of silence
 * after the last.  Prints one line of JSON; a message that is wrong, or that
 * does not come, is an error and nothing else.
 *
 *	load --port 8080 --path /echo --mode echo --conns 50 --flight 16
 *	    --messages 200000 --size 64 --pids 812,813
 *
 * modes: echo     each connection keeps `flight` messages outstanding
 *        fan      one member of each group sends, all others receive; a
 *                 message's latency is that of its last receiver
 *        whisper  the first half sends, each to one of the second half
 *        connect  connect, upgrade, close, `conns` at a time
 *        idle     connect, and no more
 *        crowd    a broadcast to all, wherever they are; then whispers from
 *                 anybody to anybody, `flight` at a time
 *
 * --path raw: is no WebSocket, but raw TCP, for echo: a message is its length in four
 * bytes, then itself.
 *
 * --ape: messages are the arguments of calls as clients of api-ape make them: of
 * "/echo", whose answers are heard, or, with fan, of "/message", whose pushes are.
 *
 * --sio: messages are events "m" of Socket.IO, whose server finds --path and its query in
 * the query of its own address.
 *
 * --port may be several, with commas: connections go to each in turn.
 *
 * In --path, %d stands for the connection's number and %g for its group's.
 * CPU time and memory are those of --pids, --gateway and --redis, each of them
 * a list.  Times are in microseconds, cpu_us for each message.
 */
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "load.h"

struct options	 opt = { .host = "127.0.0.1", .path = "/echo", .pids = "",
		    .gateway = "", .redis = "", .ports = { 8080 },
		    .nports = 1, .conns = 50,
		    .flight = 1, .groups = 1, .processes = 1,
		    .messages = 100000, .size = 64 };
struct shared	*shared;

static const char *const modes[] = {
	[ECHO] = "echo", [FAN] = "fan", [WHISPER] = "whisper",
	[CONNECT] = "connect", [IDLE] = "idle", [CROWD] = "crowd",
};

static int	 report[2];		/* a byte from each child, at each step */
static int	*go;			/* to each child: the next one */
static int	 mine = -1;		/* a child's own of them */
static pid_t	*children;

/* A child tells the parent, which ends the others. */
static noreturn void
end(void)
{
	if (mine != -1)
		(void)!write(report[1], "!", 1);
	for (unsigned i = 0; mine == -1 && children != NULL &&
	    i < opt.processes; i++)
		if (children[i] > 0)
			kill(children[i], SIGKILL);
	_exit(1);
}

noreturn void
fail(const char *fmt, ...)
{
	va_list	 ap;

	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	fputc('\n', stderr);
	va_end(ap);
	end();
}

uint64_t
now_ns(void)
{
	struct timespec	 t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return ((uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec);
}

/* ---- latencies ---- */

void
sample(uint64_t ns)
{
	unsigned long long	 before = shared->slowest;
	unsigned		 shift = 0;
	size_t			 i;

	while (ns >> shift >= 2 << HIST_BITS)
		shift++;
	i = ((size_t)shift << HIST_BITS) + (size_t)(ns >> shift);
	if (i >= HIST_SIZE)
		i = HIST_SIZE - 1;
	atomic_fetch_add_explicit(&shared->hist[i], 1, memory_order_relaxed);
	while (before < ns && !atomic_compare_exchange_weak(&shared->slowest,
	    &before, ns))
		continue;
}

/* The latency that this share of the samples does not exceed, in us. */
static double
percentile(double part)
{
	uint64_t	 all = 0, seen = 0;
	size_t		 i, shift;

	for (i = 0; i < HIST_SIZE; i++)
		all += shared->hist[i];
	if (all == 0)
		return (0);
	for (i = 0; i < HIST_SIZE - 1; i++)
		if ((double)(seen += shared->hist[i]) >= part * (double)all)
			break;
	shift = i >> HIST_BITS == 0 ? 0 : (i >> HIST_BITS) - 1;
	return ((double)((i - (shift << HIST_BITS)) << shift) / 1e3);
}

/* ---- the children ---- */

/* Say that this step is done, and go on hearing until the next. */
static void
step(void)
{
	uint64_t	 v;

	if (write(report[1], ".", 1) != 1)
		fail("the parent is gone");
	while (read(mine, &v, sizeof(v)) == -1)
		conns_turn(-1);
}

static int
runs(void)
{
	return (opt.mode == IDLE ? 0 : opt.mode == CROWD ? 2 : 1);
}

/* Number p of them: its connections are whole groups, or whole pairs. */
static void
child(unsigned p)
{
	unsigned	 unit = opt.mode == FAN ? opt.conns / opt.groups :
			    opt.mode == WHISPER ? 2 : 1;
	uint64_t	 units = opt.conns / unit;

	mine = go[p];
	srand48((long)p + 1);
	conns_init(mine);
	job_open((unsigned)(units * p / opt.processes) * unit,
	    (unsigned)(units * (p + 1) / opt.processes) * unit);
	step();
	for (int run = 0; run < runs(); run++) {
		job_run(run);
		step();
		job_quiet(run);
		step();
	}
	job_close();
}

/* All have done the step. */
static void
gather(void)
{
	struct pollfd	 fd = { .fd = report[0], .events = POLLIN };
	char		 c;

	for (unsigned n = 0; n < opt.processes;) {
		if (poll(&fd, 1, 1000) == 1 && read(report[0], &c, 1) == 1) {
			if (c != '.')
				end();
			n++;
		} else if (waitpid(-1, NULL, WNOHANG) != 0)
			fail("a process died");
	}
}

static void
tell(void)
{
	uint64_t	 one = 1;

	for (unsigned i = 0; i < opt.processes; i++)
		if (write(go[i], &one, sizeof(one)) == -1)
			fail("eventfd: %s", strerror(errno));
}

static void
start(void)
{
	go = calloc(opt.processes, sizeof(*go));
	children = calloc(opt.processes, sizeof(*children));
	if (pipe(report) == -1)
		fail("pipe: %s", strerror(errno));
	for (unsigned i = 0; i < opt.processes; i++)
		if ((go[i] = eventfd(0, EFD_NONBLOCK)) == -1)
			fail("eventfd: %s", strerror(errno));
	for (unsigned i = 0; i < opt.processes; i++) {
		if ((children[i] = fork()) == -1)
			fail("fork: %s", strerror(errno));
		if (children[i] == 0) {
			child(i);
			exit(0);
		}
	}
}

/* ---- figures ---- */

struct moment {
	uint64_t	 at;
	struct usage	 pids, gateway, redis;
};

static struct moment
moment(void)
{
	return ((struct moment){ now_ns(), usage(opt.pids),
	    usage(opt.gateway), usage(opt.redis) });
}

static double
each(uint64_t from, uint64_t to, uint64_t n)
{
	return (n == 0 ? 0 : ((double)to - (double)from) / (double)n);
}

static void
print_run(const char *name, const struct moment *a, uint64_t end,
    const struct moment *b)
{
	uint64_t	 n = shared->done;
	double		 seconds = (double)(end - a->at) / 1e9;

	printf("%s{\"name\":\"%s\",\"done\":%llu,\"seconds\":%.4f,"
	    "\"per_second\":%.0f,\"cpu_us\":%.4f,\"gateway_us\":%.4f,"
	    "\"redis_us\":%.4f,\"p50_us\":%.1f,\"p99_us\":%.1f,"
	    "\"max_us\":%.1f}", strcmp(name, "whisper") == 0 &&
	    opt.mode == CROWD ? "," : "", name, (unsigned long long)n, seconds,
	    (double)n / seconds,
	    each(a->pids.cpu_ns, b->pids.cpu_ns, n) / 1e3,
	    each(a->gateway.cpu_ns, b->gateway.cpu_ns, n) / 1e3,
	    each(a->redis.cpu_ns, b->redis.cpu_ns, n) / 1e3,
	    percentile(0.5), percentile(0.99), (double)shared->slowest / 1e3);
	shared->done = shared->slowest = 0;
	memset(shared->hist, 0, sizeof(shared->hist));
}

static void
measure(void)
{
	struct moment	 a = moment(), b;
	uint64_t	 end;

	start();
	gather();
	b = moment();
	printf("{\"mode\":\"%s\",\"conns\":%u,\"size\":%zu,\"opening\":%.3f,"
	    "\"opening_us\":%.3f,\"gateway_opening_us\":%.3f,"
	    "\"redis_opening_us\":%.3f,\"bytes\":%.1f,\"gateway_bytes\":%.1f,\"redis_bytes\":%.1f,"
	    "\"runs\":[", modes[opt.mode], opt.conns, opt.size,
	    (double)(b.at - a.at) / 1e9,
	    each(a.pids.cpu_ns, b.pids.cpu_ns, opt.conns) / 1e3,
	    each(a.gateway.cpu_ns, b.gateway.cpu_ns, opt.conns) / 1e3,
	    each(a.redis.cpu_ns, b.redis.cpu_ns, opt.conns) / 1e3,
	    each(a.pids.anon, b.pids.anon, opt.conns),
	    each(a.gateway.anon, b.gateway.anon, opt.conns),
	    each(a.redis.anon, b.redis.anon, opt.conns));
	for (int run = 0; run < runs(); run++) {
		a = moment();
		tell();
		gather();
		end = now_ns();
		tell();
		gather();
		b = moment();
		print_run(opt.mode != CROWD ? modes[opt.mode] :
		    run == 0 ? "broadcast" : "whisper", &a, end, &b);
	}
	tell();
	for (unsigned i = 0; i < opt.processes; i++) {
		int	 status;

		if (wait(&status) == -1 || status != 0)
			fail("a process ended with %#x", (unsigned)status);
	}
	puts("]}");
}

/* ---- options ---- */

static void
check(void)
{
	if (opt.mode == WHISPER)
		opt.conns &= ~1u;
	if (opt.groups == 0 || opt.conns < opt.groups)
		fail("%u connections for %u groups", opt.conns, opt.groups);
	opt.conns -= opt.conns % opt.groups;
	if (opt.flight == 0 || opt.messages == 0 || opt.processes == 0 ||
	    opt.processes > opt.conns)
		fail("nothing to do");
}

/* "812,813": each in turn. */
static void
ports(const char *text)
{
	const size_t	 max = sizeof(opt.ports) / sizeof(opt.ports[0]);

	for (opt.nports = 0; text != NULL && opt.nports < max; text++) {
		opt.ports[opt.nports++] = atoi(text);
		if ((text = strchr(text, ',')) == NULL)
			break;
	}
}

static void
options(int argc, char **argv)
{
	static const struct option	 longs[] = {
		{ "host", 1, NULL, 'h' }, { "port", 1, NULL, 'p' },
		{ "path", 1, NULL, 'a' }, { "sender-path", 1, NULL, 'A' },
		{ "mode", 1, NULL, 'm' }, { "conns", 1, NULL, 'c' },
		{ "groups", 1, NULL, 'g' }, { "flight", 1, NULL, 'f' },
		{ "messages", 1, NULL, 'n' }, { "size", 1, NULL, 's' }, { "ape", 0, NULL, 'e' },
		{ "sio", 0, NULL, 'S' },
		{ "processes", 1, NULL, 'j' }, { "pids", 1, NULL, 'P' },
		{ "gateway", 1, NULL, 'G' }, { "redis", 1, NULL, 'R' },
		{ NULL, 0, NULL, 0 }
	};
	int	 o;

	while ((o = getopt_long(argc, argv, "", longs, NULL)) != -1)
		switch (o) {
		case 'h': opt.host = optarg; break;
		case 'p': ports(optarg); break;
		case 'a': opt.path = optarg; break;
		case 'A': opt.sender_path = optarg; break;
		case 'c': opt.conns = (unsigned)atoi(optarg); break;
		case 'g': opt.groups = (unsigned)atoi(optarg); break;
		case 'f': opt.flight = (unsigned)atoi(optarg); break;
		case 'n': opt.messages = strtoull(optarg, NULL, 10); break;
		case 's': opt.size = strtoull(optarg, NULL, 10); break;
		case 'e': opt.ape = 1; break;
		case 'S': opt.sio = 1; break;
		case 'j': opt.processes = (unsigned)atoi(optarg); break;
		case 'P': opt.pids = optarg; break;
		case 'G': opt.gateway = optarg; break;
		case 'R': opt.redis = optarg; break;
		case 'm':
			for (o = 0; o < NMODES; o++)
				if (strcmp(modes[o], optarg) == 0)
					break;
			if (o == NMODES)
				fail("there is no mode %s", optarg);
			opt.mode = (enum mode)o;
			break;
		default: exit(2);
		}
	check();
}

int
main(int argc, char **argv)
{
	size_t	 size;

	options(argc, argv);
	size = sizeof(*shared) + (opt.mode == CROWD ?
	    opt.messages * sizeof(shared->whisper[0]) : 0);
	shared = mmap(NULL, size, PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (shared == MAP_FAILED)
		fail("mmap: %s", strerror(errno));
	measure();
	return (0);
}
