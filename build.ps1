#!/usr/bin/env sh
# One script for sh, bash and pwsh: build | test | bench [--full] | pack. The logic is in build.cs.
echo --% >/dev/null;: ' | out-null
<#'
exec dotnet run --file "$(dirname "$0")/build.cs" -- "$@"
#>
dotnet run --file "$PSScriptRoot/build.cs" -- @args
exit $LASTEXITCODE
