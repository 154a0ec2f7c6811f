# bash completion for kennelctl(1)

# What a running gatewayd knows: slots of shards, names of groups.
_kennelctl_names()
{
	local at=() i

	for ((i = 1; i < COMP_CWORD; i++)); do
		[[ ${COMP_WORDS[i]} == --run-dir ]] &&
		    at=(--run-dir "${COMP_WORDS[i + 1]}")
	done
	case $1 in
	slots)
		"${COMP_WORDS[0]}" shards "${at[@]}" 2>/dev/null |
		    sed -n 's|^[^ ]*/\([0-9]*\)#.*|\1|p'
		;;
	groups)
		"${COMP_WORDS[0]}" groups "${at[@]}" 2>/dev/null |
		    sed -n '1!s/ .*//p'
		;;
	esac
}

_kennelctl()
{
	local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]}
	local commands="status top shards groups cluster who place close drain restart
	    rebalance upgrade canary back commit room reload log-level check ready help"
	local options="--json --run-dir" verb="" words="" i n=0

	COMPREPLY=()
	for ((i = 1; i < COMP_CWORD; i++)); do
		case ${COMP_WORDS[i]} in
		--run-dir|--app|--within|--interval|--times)
			((i++)) ;;
		-*)	;;
		*)	[[ -z $verb ]] && verb=${COMP_WORDS[i]} || ((n++)) ;;
		esac
	done
	case $prev in
	--run-dir)
		compopt -o filenames 2>/dev/null
		COMPREPLY=($(compgen -d -- "$cur"))
		return ;;
	--within|--interval)
		COMPREPLY=($(compgen -W "1s 10s 30s 1m 5m" -- "$cur"))
		return ;;
	--app|--times)
		return ;;
	esac
	case $verb in
	status)		options+=" --check" ;;
	top)		options+=" --interval --times" ;;
	place)		options+=" --app" ;;
	drain|restart)	options+=" --within --no-wait" ;;
	rebalance|upgrade|canary|back|commit)	options+=" --no-wait" ;;
	esac
	if [[ $cur == -* ]]; then
		words="$options"
		[[ -z $verb ]] && words+=" --help --version"
	elif [[ -z $verb ]]; then
		words="$commands"
	else
		case $verb:$n in
		log-level:0)	words="warn info debug" ;;
		room:0)		words="rm" ;;
		canary:0)	words="1% 5% 10% 25% 50%" ;;
		upgrade:0|canary:1)
			[[ -n $cur && gateway == "$cur"* ]] &&
			    COMPREPLY=(gateway) && return
			compopt -o filenames 2>/dev/null
			COMPREPLY=($(compgen -f -- "$cur"))
			return ;;
		drain:0|restart:0)	words=$(_kennelctl_names slots) ;;
		room:1|place:0)	words=$(_kennelctl_names groups) ;;
		esac
	fi
	COMPREPLY=($(compgen -W "$words" -- "$cur"))
}

complete -F _kennelctl kennelctl
