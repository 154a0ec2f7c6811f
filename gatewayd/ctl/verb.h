/* An invocation is what the command line asks for. */
#ifndef GATEWAYD_CTL_VERB_H
#define GATEWAYD_CTL_VERB_H

struct invocation {
	const char	*dir;		/* run directory */
	int		 json;		/* for programs */
	int		 check;		/* of status */
	const char	*app;		/* of place; NULL: the only one */
	unsigned	 within_ms;	/* of drain, restart; 0: as configured */
	int		 no_wait;	/* of those that take long */
	unsigned	 times;		/* of top; 0: until it is ended */
	unsigned	 interval_ms;	/* of top */
	const char	*verb;
	char		**args;		/* as many as the verb takes */
	int		 nargs;
};

#endif
