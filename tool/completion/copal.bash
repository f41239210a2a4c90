# Completion of copal's command line for bash. Commands and options are asked of the tool, so that they are those it has.
_copal()
{
    local tool=$1 word=$2 before=$3 command=${COMP_WORDS[1]} line argument= options=()
    if [[ $word == = ]]; then # bash takes the = of --option=value for a word of its own
        word=
    elif [[ $before == = ]]; then
        before=${COMP_WORDS[COMP_CWORD - 2]}
    fi
    COMPREPLY=()
    if ((COMP_CWORD == 1)) || [[ $command == help ]]; then
        while IFS= read -r line; do
            [[ $line =~ ^\ \ ([a-z]+)\ +[A-Z] ]] && options+=("${BASH_REMATCH[1]}")
        done < <("$tool" help 2>/dev/null)
        ((COMP_CWORD == 1)) && options+=(--help --version)
        COMPREPLY=($(compgen -W "${options[*]}" -- "$word"))
        return
    fi
    while IFS= read -r line; do
        [[ $line =~ ^\ \ (-(.),|\ \ \ )\ (--[a-z-]+)(\ ([A-Z]+))?(\ |$) ]] || continue
        options+=("${BASH_REMATCH[3]}")
        [[ $before == "${BASH_REMATCH[3]}" || $before == "-${BASH_REMATCH[2]}" ]] && argument=${BASH_REMATCH[5]}
    done < <("$tool" help "$command" 2>/dev/null)
    case $argument in
    FILE)
        compopt -o filenames 2>/dev/null
        COMPREPLY=($(compgen -f -- "$word"))
        ;;
    DIR)
        compopt -o filenames 2>/dev/null
        COMPREPLY=($(compgen -d -- "$word"))
        ;;
    FORMAT)
        COMPREPLY=($(compgen -W "text json cbor link-format octet-stream xml senml+json senml+cbor merge-patch+json
            json-patch+json" -- "$word"))
        ;;
    CLASSES) COMPREPLY=($(compgen -W "2xx 4xx 5xx all" -- "$word")) ;;
    '') [[ $word == -* ]] && COMPREPLY=($(compgen -W "${options[*]}" -- "$word")) ;;
    esac
}
complete -F _copal copal
