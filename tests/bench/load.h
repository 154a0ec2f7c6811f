/*
 * The load generator's parts: load.c starts processes and prints what they
 * measured, load_job.c is what each mode does, load_conn.c one WebSocket
 * client, load_proc.c what the servers used.
 */
#include <sys/types.h>

#include <stdatomic.h>
#include <stdint.h>
#include <stdnoreturn.h>

enum mode { ECHO, FAN, WHISPER, CONNECT, IDLE, CROWD, NMODES };

struct options {
	const char	*host, *path;
	const char	*sender_path;	/* or NULL; what it hears is not counted */
	const char	*pids, *gateway, *redis;
	int		 ports[16];	/* connections go to each in turn */
	unsigned	 nports;
	enum mode	 mode;
	unsigned	 conns, flight, groups, processes;
	uint64_t	 messages;
	size_t		 size;		/* bytes; a message has no fewer than its head */
	int		 ape;		/* messages are calls, and what these lead to */
	int		 sio;		/* they are events of Socket.IO */
};
extern struct options	 opt;

#define HIST_BITS	6		/* a bucket is 1/64 of its value wide */
#define HIST_SIZE	(40 << HIST_BITS)

/* What the processes of a run share. */
struct shared {
	atomic_ullong	 done;		/* messages that arrived */
	atomic_ullong	 hist[HIST_SIZE];	/* of ns, by latency */
	atomic_ullong	 slowest;	/* ns */
	atomic_ullong	 cast_at;	/* crowd: when the broadcast was sent, ns */
	atomic_ullong	 said, heard;	/* crowd: whispers */
	struct {
		atomic_ullong	 at;	/* sent, ns */
		atomic_uint	 times;	/* arrived */
	} whisper[];			/* opt.messages of them */
};
extern struct shared	*shared;

struct conn {
	int		 fd;
	short		 up, writing, deaf;
	unsigned	 number;	/* among all processes' */
	uint64_t	 sent, got;	/* messages */
	uint64_t	 due;		/* to be sent when the turn is over */
	uint64_t	*at;		/* ns, the last opt.flight it sent */
	uint64_t	 opened_at;
	char		*in, *out;	/* a frame in parts, what did not fit */
	size_t		 nin, nout;
};

/* load.c */
noreturn void	 fail(const char *fmt, ...)
		    __attribute__((format(printf, 1, 2)));
uint64_t	 now_ns(void);
void		 sample(uint64_t ns);

/* load_conn.c: all of this process; epoll */
void	 conns_init(int go);
/* Until something happens, on a connection or on go; -1: no limit.  Returns
 * how many events there were. */
int	 conns_turn(int ms);
void	 conn_open(struct conn *, unsigned number);
void	 conn_close(struct conn *);
/* A message that begins with the n bytes of head, padded to opt.size. */
void	 conn_say(struct conn *, const char *head, size_t n);
/* Says that it hears pushes of "message", as newer clients of api-ape do. */
void	 conn_subscribe(struct conn *);
/* Writes what was said. */
void	 conn_flush(struct conn *);

/* load_job.c: the job of this process, from connection number first to last */
void	 job_open(unsigned first, unsigned last);
void	 job_run(int run);
/* Nothing more may arrive; fails if something does or a message is missing. */
void	 job_quiet(int run);
void	 job_close(void);
void	 job_up(struct conn *);		/* the handshake is done */
void	 job_got(struct conn *, const char *text, size_t len);
void	 job_pay(void);			/* a read is over */
/* Checks the padding behind a head of n bytes. */
int	 conn_padded(const char *text, size_t n, size_t len);

/* load_proc.c */
struct usage {
	uint64_t	 cpu_ns, anon;	/* of the processes, with all threads */
};
/* pids: "1,2,3"; fails if one is gone. */
struct usage	 usage(const char *pids);
